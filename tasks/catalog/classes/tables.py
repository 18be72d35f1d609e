"""Tables, ordinary, partitioned and foreign, with their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.catalog.classes.object_class import (
    NAMED_RELATIONS,
    RELATIONS,
    ObjectClass,
    Row,
    find_order,
    list_options,
    list_settings,
)
from tasks.catalog.values import COLUMN_ORDER, DERIVED, LOCAL_COLUMN, PARAMETER_ORDER

_TABLES = f"""
WITH {RELATIONS}
SELECT CASE relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, relations.name, '',
    CASE WHEN relkind <> 'm' THEN concat_ws(' ', CASE relpersistence WHEN 'u' THEN 'UNLOGGED' END,
    CASE WHEN reloftype <> 0 THEN 'OF ' || reloftype::regtype END,
    CASE WHEN relispartition THEN 'PARTITION OF ' || parents || ' ' || pg_get_expr(relpartbound, relations.oid)
         ELSE 'INHERITS (' || parents || ')' END,
    CASE relkind WHEN 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(relations.oid) END,
    CASE WHEN amname <> 'heap' THEN 'USING ' || quote_ident(amname) END,
    'WITH (' || nullif(concat_ws(', ', {list_settings("relations.reloptions")}, {list_settings("toast.settings", "toast.")}), '')
        || ')',
    'TABLESPACE ' || quote_ident(spcname),
    'SERVER ' || quote_ident(srvname) || coalesce(' ' || {list_options("ftoptions", hide=True)}, '')) END,
    CASE WHEN relreplident <> 'd' AND relkind <> 'f' THEN CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
        ELSE 'USING INDEX ' || coalesce((SELECT quote_ident(relname) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
             WHERE indrelid = relations.oid AND indisreplident), 'that was dropped') END END,
    CASE WHEN relrowsecurity OR relforcerowsecurity THEN concat_ws(', ',
        CASE WHEN relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END,
        CASE WHEN relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END) END,
    CASE WHEN relkind <> 'm' THEN {find_order("relations.reloptions", "toast.settings")} END
FROM relations
LEFT JOIN pg_am ON pg_am.oid = relam
LEFT JOIN pg_tablespace ON pg_tablespace.oid = reltablespace
LEFT JOIN (SELECT oid, reloptions AS settings FROM pg_class WHERE relkind = 't') AS toast ON toast.oid = reltoastrelid
LEFT JOIN pg_foreign_table ON ftrelid = relations.oid
LEFT JOIN pg_foreign_server ON pg_foreign_server.oid = ftserver
LEFT JOIN (
    SELECT inhrelid, string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) AS parents FROM pg_inherits GROUP BY inhrelid
) AS inheritance ON inhrelid = relations.oid
WHERE relkind IN ('r', 'p', 'f', 'm')"""

# The limits of the column's type are the defaults: LIKE makes a bigint sequence with these limits, a dump one of that type.
# Sequences can be unlogged since 15: https://www.postgresql.org/docs/release/15.0/
_LEAST = f"CASE atttypid WHEN 'int2'::regtype THEN {-(2**15)} WHEN 'int4'::regtype THEN {-(2**31)} ELSE {-(2**63 - 1)} - 1 END"
_IDENTITY = f"""nullif(concat_ws(' ',
    CASE WHEN sequence_name <> relname || '_' || attname || '_seq' OR sequence_schema <> relnamespace
         THEN 'SEQUENCE NAME ' || sequence END,
    CASE WHEN persistence <> relations.relpersistence AND current_setting('server_version_num')::integer >= 150000
         THEN CASE persistence WHEN 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END END,
    CASE WHEN seqstart <> CASE WHEN seqincrement > 0 THEN seqmin ELSE seqmax END THEN 'START WITH ' || seqstart END,
    CASE WHEN seqincrement <> 1 THEN 'INCREMENT BY ' || seqincrement END,
    CASE WHEN seqmin <> CASE WHEN seqincrement > 0 THEN 1 ELSE {_LEAST} END THEN 'MINVALUE ' || seqmin END,
    CASE WHEN seqmax <> CASE WHEN seqincrement > 0 THEN -({_LEAST} + 1) ELSE -1 END THEN 'MAXVALUE ' || seqmax END,
    CASE WHEN seqcache <> 1 THEN 'CACHE ' || seqcache END,
    CASE WHEN seqcycle THEN 'CYCLE' END), '')"""
# Only a generated column refers to columns. Without its table, the server reads a default as the same text, and opens no table.
# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
_COLUMNS = f"""
WITH {NAMED_RELATIONS},
identities AS NOT MATERIALIZED (
    SELECT refobjid AS table_oid, refobjsubid AS table_column, sequence.oid::regclass AS sequence,
        sequence.relname AS sequence_name, sequence.relnamespace AS sequence_schema, sequence.relpersistence AS persistence,
        seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle
    FROM pg_sequence
    JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = seqrelid AND refclassid = 'pg_class'::regclass
        AND refobjsubid > 0 AND deptype = 'i'
    JOIN pg_class AS sequence ON sequence.oid = seqrelid
)
SELECT 'column', quote_ident(attname), relations.name, CASE WHEN relkind <> 'm' THEN concat_ws(' ',
    format_type(atttypid, atttypmod),
    CASE WHEN attcollation <> typcollation THEN 'COLLATE ' || attcollation::regcollation END,
    CASE WHEN attnotnull AND (attrelid, attnum) NOT IN (SELECT conrelid, conkey[1] FROM pg_constraint
        WHERE contype = 'n' AND NOT convalidated AND conrelid <> 0 AND conkey IS NOT NULL) THEN 'NOT NULL' END,
    CASE WHEN attidentity <> '' AND NOT relispartition THEN 'GENERATED '
        || CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END || ' AS IDENTITY'
        || coalesce(' (' || {_IDENTITY} || ')', '') END,
    CASE WHEN attgenerated = '' THEN 'DEFAULT ' || pg_get_expr(adbin, 0)
         ELSE 'GENERATED ALWAYS AS (' || pg_get_expr(adbin, adrelid) || ') '
              || CASE attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END END,
    CASE WHEN attfdwoptions IS NOT NULL THEN {list_options("attfdwoptions", hide=True)} END) END,
    CASE WHEN relkind <> 'v' AND (attstorage <> typstorage OR attcompression <> '' OR attstattarget >= 0
            OR attoptions IS NOT NULL) THEN concat_ws(E'\\n',
        CASE WHEN attstorage <> typstorage THEN 'SET STORAGE '
            || CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
        CASE attcompression WHEN 'p' THEN 'SET COMPRESSION pglz' WHEN 'l' THEN 'SET COMPRESSION lz4' END,
        CASE WHEN attstattarget >= 0 THEN 'SET STATISTICS ' || attstattarget END,
        'SET (' || {list_settings("attoptions")} || ')') END,
    CASE WHEN attinhcount > 0 AND attislocal AND NOT relispartition THEN '' END,
    CASE WHEN relkind IN ('r', 'p', 'f') THEN attnum END,
    {find_order("attoptions")}
FROM pg_attribute
JOIN relations ON relations.oid = attrelid AND (relkind IN ('r', 'p', 'f', 'm') OR relkind = 'v' AND atthasdef)
JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN identities ON attidentity <> '' AND table_oid = attrelid AND table_column = attnum
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped"""

_CLUSTERINGS = f"""
WITH {RELATIONS}
SELECT 'clustering', relations.name, '', 'ON ' || quote_ident(pg_class.relname)
FROM pg_index
JOIN relations ON relations.oid = indrelid
JOIN pg_class ON pg_class.oid = indexrelid
WHERE indisclustered"""


def _split_tables(rows: Sequence[Row]) -> Iterator[Row]:
    for kind, name, parent, definition, identity, security, order in rows:
        yield kind, name, parent, definition
        yield f"{DERIVED}{PARAMETER_ORDER}", name, "", order
        if identity is not None:
            yield "replica identity", name, "", identity
        if security is not None:
            yield "row security", name, "", security


def _split_columns(rows: Sequence[Row]) -> Iterator[Row]:
    orders: dict[str, list[tuple[int, str]]] = {}
    for kind, name, table, definition, settings, local, position, order in rows:
        yield kind, name, table, definition
        if order is not None:
            yield f"{DERIVED}{PARAMETER_ORDER}", name, table, order
        if settings is not None:
            yield "column settings", name, table, settings
        if local is not None:
            yield LOCAL_COLUMN, name, table, local
        if position is not None:
            orders.setdefault(table, []).append((position, name))
    for table, columns in orders.items():
        yield COLUMN_ORDER, table, "", ", ".join([name for _, name in sorted(columns)])


CLASSES = (
    ObjectClass("tables and foreign tables", _TABLES, split=_split_tables, of_relation=True),
    ObjectClass("columns", _COLUMNS, split=_split_columns, hashes=True, of_relation=True),
    ObjectClass("clusterings", _CLUSTERINGS, trace="FROM pg_index WHERE indisclustered", of_relation=True),
)
