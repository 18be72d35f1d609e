"""The parts of tables and views other than columns: constraints, indexes, triggers, rules, statistics; and event triggers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.catalog.classes.object_class import (
    FIRST_OWN_OID,
    NAMED_RELATIONS,
    RELATIONS,
    ObjectClass,
    Row,
    exclude_members,
    find_order,
    list_settings,
)
from tasks.catalog.values import DERIVED, LOCAL_CONSTRAINT, LOCAL_NULL, NAMED_NULL, PARAMETER_ORDER

_ATTACH = "E';\\nALTER INDEX ' || {parent}::regclass || ' ATTACH PARTITION ' || {index}::regclass"
"""What follows the definition of an attached index, or of a constraint with one."""

_CONSTRAINTS = f"""
WITH {NAMED_RELATIONS},
definitions AS MATERIALIZED (
    SELECT conrelid, conname, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint
    WHERE contype IN ('c', 'n') AND conrelid IN (SELECT inhparent FROM pg_inherits)
)
SELECT CASE WHEN parent.contype = 'f' OR parent.conindid = inhparent AND parent_index.indisvalid
              OR own.contype IN ('c', 'n') AND own.coninhcount > 0 AND EXISTS (
                  SELECT FROM pg_inherits JOIN definitions ON definitions.conrelid = inhparent
                  WHERE inhrelid = own.conrelid AND definitions.conname = own.conname
                    AND definition = pg_get_constraintdef(own.oid))
            THEN '{DERIVED}' ELSE '' END || 'constraint',
    quote_ident(own.conname), name,
    pg_get_constraintdef(own.oid)
    || coalesce({_ATTACH.format(parent="inhparent", index="own.conindid")}, '')
    || CASE WHEN own_index.indisvalid IS DISTINCT FROM false THEN '' ELSE E'\\n-- INVALID' END
FROM pg_constraint AS own
JOIN relations ON relations.oid = own.conrelid
LEFT JOIN pg_constraint AS parent ON parent.oid = own.conparentid
LEFT JOIN pg_index AS own_index ON own_index.indexrelid = own.conindid AND own.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits ON inhrelid = own_index.indexrelid
LEFT JOIN pg_index AS parent_index ON parent_index.indexrelid = inhparent
WHERE (own.contype <> 'n' OR NOT own.convalidated OR own.connoinherit) AND own.contype <> 't'
  AND NOT (own.contype = 'f' AND own.conparentid <> 0 AND parent.conrelid = own.conrelid)"""
# Without the constraints of a foreign key for the partitions of the table to which it refers.

_LOCAL_CONSTRAINTS = f"""
WITH {RELATIONS}
SELECT '{LOCAL_CONSTRAINT}', quote_ident(conname), name, ''
FROM pg_constraint
JOIN relations ON relations.oid = conrelid
WHERE contype = 'c' AND coninhcount > 0 AND conislocal AND NOT relispartition"""
# Not NOT NULL, which is a constraint only since 18.

_NULLS = f"""
WITH {RELATIONS}
SELECT '{DERIVED}{NAMED_NULL}', quote_ident(attname), relations.name,
    CASE WHEN conname <> relname || '_' || attname || '_not_null' THEN quote_ident(conname) END,
    conislocal AND coninhcount > 0 AND NOT relispartition
FROM pg_constraint
JOIN relations ON relations.oid = conrelid
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE contype = 'n' AND convalidated AND NOT connoinherit
  AND (conname <> relname || '_' || attname || '_not_null' OR conislocal AND coninhcount > 0)"""
# A table that was renamed, or created with LIKE, and each partition have names of another table.

_TARGETS = """(
    SELECT array_agg(coalesce(attstattarget, -1) ORDER BY attnum) FROM pg_attribute WHERE attrelid = {index} AND attnum > 0)"""

_IS_DERIVED = f"""parent.indisvalid AND own.indisvalid AND parent_class.reltablespace = class.reltablespace
    AND parent_class.reloptions IS NOT DISTINCT FROM class.reloptions
    AND {_TARGETS.format(index="own.indexrelid")} = {_TARGETS.format(index="parent.indexrelid")}"""

_INDEXES = f"""
WITH {NAMED_RELATIONS}
SELECT CASE WHEN inhparent IS NOT NULL AND {_IS_DERIVED} THEN '{DERIVED}' ELSE '' END || 'index',
    user_schemas.name || '.' || quote_ident(class.relname), relations.name, pg_get_indexdef(own.indexrelid)
    || coalesce(' TABLESPACE ' || quote_ident(spcname), '')
    || CASE WHEN own.indexprs IS NULL THEN '' ELSE coalesce(E';\\nALTER INDEX ' || own.indexrelid::regclass || ' ' || (
        SELECT string_agg('ALTER COLUMN ' || attnum || ' SET STATISTICS ' || attstattarget, ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = own.indexrelid AND attstattarget >= 0), '') END
    || coalesce({_ATTACH.format(parent="inhparent", index="own.indexrelid")}, '')
    || CASE WHEN own.indisvalid AND own.indisready AND own.indislive THEN '' ELSE E'\\n-- INVALID' END
FROM pg_index AS own
JOIN relations ON relations.oid = own.indrelid
JOIN pg_class AS class ON class.oid = own.indexrelid
JOIN user_schemas ON user_schemas.oid = class.relnamespace
LEFT JOIN pg_tablespace ON pg_tablespace.oid = class.reltablespace
LEFT JOIN pg_inherits ON inhrelid = own.indexrelid
LEFT JOIN pg_index AS parent ON parent.indexrelid = inhparent
LEFT JOIN pg_class AS parent_class ON parent_class.oid = inhparent
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = own.indexrelid AND conrelid = own.indrelid
                    AND contype IN ('p', 'u', 'x'))
   OR class.reloptions IS NOT NULL OR class.reltablespace <> 0"""

_VIEWS = f"""
WITH {RELATIONS}
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name, '', concat_ws(' ',
    CASE WHEN amname <> 'heap' THEN 'USING ' || quote_ident(amname) END,
    'WITH (' || {list_settings("reloptions")} || ')',
    'TABLESPACE ' || quote_ident(spcname),
    'AS ' || rtrim(ltrim(pg_get_viewdef(relations.oid)), ';')), {find_order("reloptions")}
FROM relations
LEFT JOIN pg_am ON pg_am.oid = relam
LEFT JOIN pg_tablespace ON pg_tablespace.oid = reltablespace
WHERE relkind IN ('v', 'm')"""

_TRIGGERS = f"""
WITH {RELATIONS}
SELECT 'trigger', quote_ident(trig.tgname), name, pg_get_triggerdef(trig.oid)
    || CASE WHEN trig.tgenabled = 'O' THEN '' ELSE E';\\nALTER TABLE ' || name
    || CASE trig.tgenabled WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' ELSE ' ENABLE ALWAYS' END
    || ' TRIGGER ' || quote_ident(trig.tgname) END
FROM pg_trigger AS trig
JOIN relations ON relations.oid = trig.tgrelid
LEFT JOIN pg_trigger AS parent ON parent.oid = trig.tgparentid
WHERE (parent.oid IS NULL AND NOT trig.tgisinternal) OR parent.tgenabled <> trig.tgenabled AND NOT parent.tgisinternal"""

_RULES = f"""
WITH {RELATIONS}
SELECT 'rule', quote_ident(rulename), name, rtrim(pg_get_ruledef(pg_rewrite.oid), ';')
    || CASE WHEN ev_enabled = 'O' THEN '' ELSE E';\\nALTER TABLE ' || name
    || CASE ev_enabled WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' ELSE ' ENABLE ALWAYS' END
    || ' RULE ' || quote_ident(rulename) END
FROM pg_rewrite
JOIN relations ON relations.oid = ev_class
WHERE rulename <> '_RETURN'"""

_STATISTICS = f"""
WITH {RELATIONS}
SELECT 'statistics', quote_ident(nspname) || '.' || quote_ident(stxname), relations.name,
    pg_get_statisticsobjdef(pg_statistic_ext.oid) || CASE WHEN stxstattarget >= 0 THEN E';\\nALTER STATISTICS '
    || quote_ident(nspname) || '.' || quote_ident(stxname) || ' SET STATISTICS ' || stxstattarget ELSE '' END
FROM pg_statistic_ext
JOIN relations ON relations.oid = stxrelid
JOIN pg_namespace ON pg_namespace.oid = stxnamespace"""

_EVENT_TRIGGERS = f"""
SELECT 'event trigger', quote_ident(evtname), '', 'ON ' || evtevent
    || coalesce(' WHEN TAG IN (' ||
        (SELECT string_agg(quote_literal(tag), ', ' ORDER BY tag) FROM unnest(evttags) AS tag) || ')', '')
    || ' EXECUTE FUNCTION ' || evtfoid::regproc || '()'
    || CASE WHEN evtenabled = 'O' THEN '' ELSE E';\\nALTER EVENT TRIGGER ' || quote_ident(evtname)
    || CASE evtenabled WHEN 'D' THEN ' DISABLE' WHEN 'R' THEN ' ENABLE REPLICA' ELSE ' ENABLE ALWAYS' END END
FROM pg_event_trigger
WHERE {exclude_members("pg_event_trigger", "pg_event_trigger.oid")}"""


def _split_nulls(rows: Sequence[Row]) -> Iterator[Row]:
    for kind, column, table, name, local in rows:
        yield kind, column, table, name
        yield f"{DERIVED}{LOCAL_NULL}", column, table, "" if local else None


def _split_views(rows: Sequence[Row]) -> Iterator[Row]:
    for kind, name, parent, definition, order in rows:
        yield kind, name, parent, definition
        yield f"{DERIVED}{PARAMETER_ORDER}", name, "", order


CLASSES = (
    ObjectClass("constraints", _CONSTRAINTS, of_relation=True),
    ObjectClass("local constraints", _LOCAL_CONSTRAINTS, trace="FROM pg_inherits", of_relation=True),
    ObjectClass(
        "names of NOT NULL",
        _NULLS,
        trace=f"FROM pg_constraint WHERE contype = 'n' AND conrelid >= {FIRST_OWN_OID}",
        since=18,
        split=_split_nulls,
        of_relation=True,
    ),
    ObjectClass("indexes", _INDEXES, of_relation=True),
    ObjectClass(
        "views and materialized views",
        _VIEWS,
        trace=f"FROM pg_rewrite WHERE oid >= {FIRST_OWN_OID} AND rulename = '_RETURN'",
        split=_split_views,
        of_relation=True,
    ),
    ObjectClass("triggers", _TRIGGERS, trace="FROM pg_trigger", of_relation=True),
    ObjectClass(
        "rules", _RULES, trace=f"FROM pg_rewrite WHERE oid >= {FIRST_OWN_OID} AND rulename <> '_RETURN'", of_relation=True
    ),
    ObjectClass("statistics objects", _STATISTICS, trace="FROM pg_statistic_ext", of_relation=True),
    ObjectClass("event triggers", _EVENT_TRIGGERS, trace="FROM pg_event_trigger"),
)
