"""Schemas, extensions, types, domains, sequences, and other objects without their own class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.catalog.classes.object_class import (
    FIRST_OWN_OID,
    OWNED_SEQUENCES,
    SCHEMAS,
    ObjectClass,
    Row,
    exclude_members,
    exclude_parts,
)
from tasks.catalog.values import DERIVED, NAMED_NULL

_SCHEMAS = f"WITH {SCHEMAS} SELECT 'schema', name, '', '' FROM schemas"

_EXTENSIONS = """
SELECT 'extension', quote_ident(extname), '', 'SCHEMA ' || quote_ident(nspname)
FROM pg_extension
JOIN pg_namespace ON pg_namespace.oid = extnamespace"""
# Without the version: each server has its own package.

_ENUMS = f"""
WITH {SCHEMAS}
SELECT 'type', type.oid::regtype::text, '', 'AS ENUM (' || coalesce(labels, '') || ')'
FROM pg_type AS type
JOIN user_schemas ON user_schemas.oid = typnamespace
LEFT JOIN (
    SELECT enumtypid, string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) AS labels FROM pg_enum GROUP BY enumtypid
) AS enum ON enumtypid = type.oid
WHERE typtype = 'e' AND {exclude_members("pg_type", "type.oid")}"""

_COMPOSITES = f"""
WITH {SCHEMAS}
SELECT 'type', type.oid::regtype::text, '', 'AS (' || coalesce((
    SELECT string_agg(concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> part.typcollation THEN 'COLLATE ' || attcollation::regcollation END), ', ' ORDER BY attnum)
    FROM pg_attribute
    JOIN pg_type AS part ON part.oid = atttypid
    WHERE attrelid = type.typrelid AND attnum > 0 AND NOT attisdropped), '') || ')'
FROM pg_type AS type
JOIN user_schemas ON user_schemas.oid = typnamespace
JOIN pg_class ON pg_class.oid = type.typrelid AND relkind = 'c'
WHERE type.typtype = 'c' AND {exclude_members("pg_type", "type.oid")}"""

_RANGES = f"""
WITH {SCHEMAS}
SELECT 'type', type.oid::regtype::text, '', 'AS RANGE (' || concat_ws(', ',
    'SUBTYPE = ' || format_type(rngsubtype, NULL),
    CASE WHEN NOT opcdefault THEN 'SUBTYPE_OPCLASS = ' || quote_ident(nspname) || '.' || quote_ident(opcname) END,
    CASE WHEN rngcollation <> subtype.typcollation THEN 'COLLATION = ' || rngcollation::regcollation END,
    CASE WHEN rngcanonical <> 0 THEN 'CANONICAL = ' || rngcanonical::regproc END,
    CASE WHEN rngsubdiff <> 0 THEN 'SUBTYPE_DIFF = ' || rngsubdiff::regproc END,
    'MULTIRANGE_TYPE_NAME = ' || rngmultitypid::regtype) || ')'
FROM pg_range
JOIN pg_type AS type ON type.oid = rngtypid
JOIN user_schemas ON user_schemas.oid = type.typnamespace
JOIN pg_type AS subtype ON subtype.oid = rngsubtype
JOIN pg_opclass ON pg_opclass.oid = rngsubopc
JOIN pg_namespace ON pg_namespace.oid = opcnamespace
WHERE {exclude_members("pg_type", "type.oid")}"""

_IS_BASE = "(typtype = 'b' AND typsubscript <> 'array_subscript_handler'::regproc OR typtype = 'p')"
_BASE_TYPES = f"""
WITH {SCHEMAS}
SELECT 'type', type.oid::regtype::text, '', CASE WHEN typisdefined THEN '(' || concat_ws(', ',
    'INPUT = ' || typinput::regproc, 'OUTPUT = ' || typoutput::regproc, 'INTERNALLENGTH = ' || typlen,
    'ALIGNMENT = ' || typalign::text, 'STORAGE = ' || typstorage::text, 'CATEGORY = ' || quote_literal(typcategory::text),
    CASE WHEN typbyval THEN 'PASSEDBYVALUE' END) || ')' ELSE '' END
FROM pg_type AS type
JOIN user_schemas ON user_schemas.oid = typnamespace
WHERE {_IS_BASE}
  AND {exclude_members("pg_type", "type.oid")}"""

_DOMAINS = f"""
WITH {SCHEMAS}
SELECT 'domain', type.oid::regtype::text, '', concat_ws(' ', 'AS ' || format_type(type.typbasetype, type.typtypmod),
    CASE WHEN type.typcollation <> base.typcollation THEN 'COLLATE ' || type.typcollation::regcollation END,
    'DEFAULT ' || pg_get_expr(type.typdefaultbin, 0),
    CASE WHEN type.typnotnull THEN 'NOT NULL' END,
    (SELECT string_agg('CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid), ' ' ORDER BY conname)
     FROM pg_constraint WHERE contypid = type.oid AND contype = 'c')),
    (SELECT quote_ident(conname) FROM pg_constraint
     WHERE contypid = type.oid AND contype = 'n' AND conname <> type.typname || '_not_null')
FROM pg_type AS type
JOIN user_schemas ON user_schemas.oid = type.typnamespace
JOIN pg_type AS base ON base.oid = type.typbasetype
WHERE type.typtype = 'd' AND {exclude_members("pg_type", "type.oid")}"""

_SEQUENCES = f"""
WITH {OWNED_SEQUENCES}
SELECT 'sequence', name, '', concat_ws(' ',
    CASE relpersistence WHEN 'u' THEN 'UNLOGGED' END,
    'AS ' || format_type(seqtypid, NULL), 'INCREMENT BY ' || seqincrement, 'MINVALUE ' || seqmin, 'MAXVALUE ' || seqmax,
    'START WITH ' || seqstart, 'CACHE ' || seqcache, CASE WHEN seqcycle THEN 'CYCLE' END,
    'OWNED BY ' || table_oid::regclass || '.' || quote_ident(attname))
FROM sequences
JOIN pg_sequence ON seqrelid = oid
LEFT JOIN pg_attribute ON attrelid = table_oid AND attnum = table_column
WHERE deptype IS DISTINCT FROM 'i'"""


def _list_others(catalog: str, definition: str) -> str:
    return f"""
SELECT identity.type, identity.identity, '', {definition or "''"}
FROM {catalog} AS object, pg_identify_object('{catalog}'::regclass, object.oid, 0) AS identity
WHERE object.oid >= {FIRST_OWN_OID} AND {exclude_members(catalog, "object.oid")}
  AND {exclude_parts(catalog, "object.oid")}
  AND coalesce(identity.schema, '') !~ '^"?pg_temp'"""


# Not the locale of ICU, which 16 rewrites as a language tag: https://www.postgresql.org/docs/release/16.0/
_LOCALE = "CASE WHEN collprovider <> 'i' THEN quote_literal(coalesce(to_jsonb(object) ->> 'colllocale', collcollate)) END"

_OTHERS = {
    # Not an operator that exists only because another one names it, which has no function.
    "pg_operator": """CASE WHEN oprcode <> 0 THEN concat_ws(', ', 'FUNCTION = ' || oprcode,
    'COMMUTATOR = ' || nullif(oprcom, 0)::regoperator, 'NEGATOR = ' || nullif(oprnegate, 0)::regoperator,
    'RESTRICT = ' || nullif(oprrest, 0::regproc)::regproc, 'JOIN = ' || nullif(oprjoin, 0::regproc)::regproc,
    CASE WHEN oprcanhash THEN 'HASHES' END, CASE WHEN oprcanmerge THEN 'MERGES' END) END""",
    "pg_opclass": "",
    "pg_opfamily": "",
    "pg_cast": """CASE castmethod WHEN 'f' THEN 'WITH FUNCTION ' || castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT'
        ELSE 'WITHOUT FUNCTION' END
        || CASE castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END""",
    "pg_collation": f"""concat_ws(', ', 'PROVIDER = '
        || CASE collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' WHEN 'd' THEN 'default' ELSE 'libc' END,
    'LOCALE = ' || {_LOCALE},
    CASE WHEN collprovider = 'c' AND collctype <> collcollate THEN 'LC_CTYPE = ' || quote_literal(collctype) END,
    CASE WHEN NOT collisdeterministic THEN 'DETERMINISTIC = false' END,
    'RULES = ' || quote_literal(to_jsonb(object) ->> 'collicurules'))""",
    "pg_conversion": """concat_ws(' ', CASE WHEN condefault THEN 'DEFAULT' END, 'FOR', pg_encoding_to_char(conforencoding),
    'TO', pg_encoding_to_char(contoencoding), 'FROM', conproc)""",
    "pg_language": """concat_ws(' ', CASE WHEN lanpltrusted THEN 'TRUSTED' END, 'HANDLER ' || nullif(lanplcallfoid, 0)::regproc,
    'INLINE ' || nullif(laninline, 0)::regproc, 'VALIDATOR ' || nullif(lanvalidator, 0)::regproc)""",
    "pg_transform": "",
    "pg_ts_config": """(SELECT string_agg(alias || ' WITH ' || dictionaries, ', ' ORDER BY alias)
        FROM ts_token_type(cfgparser) JOIN (
        SELECT maptokentype, string_agg(mapdict::regdictionary::text, ', ' ORDER BY mapseqno) AS dictionaries
        FROM pg_ts_config_map WHERE mapcfg = object.oid GROUP BY maptokentype) AS map ON maptokentype = tokid)""",
    "pg_ts_dict": """concat_ws(', ', (SELECT 'TEMPLATE = ' || quote_ident(nspname) || '.' || quote_ident(tmplname)
        FROM pg_ts_template JOIN pg_namespace ON pg_namespace.oid = tmplnamespace WHERE pg_ts_template.oid = dicttemplate),
    dictinitoption)""",
    "pg_ts_parser": "",
    "pg_ts_template": "",
    "pg_am": "concat_ws(' ', 'TYPE', CASE amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, 'HANDLER', amhandler)",
}
"""The definitions of other objects. Of those without one, which need functions in C, only the existence is read."""

OTHER_CATALOGS = tuple(_OTHERS)
"""Their catalogs."""
_OTHER = " UNION ALL ".join(_list_others(catalog, definition) for catalog, definition in _OTHERS.items())
_ANY_OTHER = " UNION ALL ".join(f"SELECT FROM {catalog} WHERE oid >= {FIRST_OWN_OID}" for catalog in _OTHERS)


def _split_domains(rows: Sequence[Row]) -> Iterator[Row]:
    for kind, name, parent, definition, null in rows:
        yield kind, name, parent, definition
        yield f"{DERIVED}{NAMED_NULL}", name, "", null


CLASSES = (
    ObjectClass("schemas", _SCHEMAS),
    ObjectClass("extensions", _EXTENSIONS),
    ObjectClass("enums", _ENUMS, trace="FROM pg_type WHERE typtype = 'e'"),
    ObjectClass("composite types", _COMPOSITES, trace="FROM pg_class WHERE relkind = 'c'"),
    ObjectClass("ranges", _RANGES, trace=f"FROM pg_range WHERE rngtypid >= {FIRST_OWN_OID}"),
    ObjectClass("base types", _BASE_TYPES, trace=f"FROM pg_type WHERE oid >= {FIRST_OWN_OID} AND {_IS_BASE}"),
    ObjectClass("domains", _DOMAINS, trace=f"FROM pg_type WHERE oid >= {FIRST_OWN_OID} AND typtype = 'd'", split=_split_domains),
    ObjectClass("sequences", _SEQUENCES, trace="FROM pg_class WHERE relkind = 'S'", of_relation=True),
    ObjectClass("other objects", _OTHER, trace=f"FROM ({_ANY_OTHER}) AS any_other"),
)
