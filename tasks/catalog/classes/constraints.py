"""The parts of tables and views other than columns: constraints, indexes, triggers, rules, statistics; and event triggers."""

from __future__ import annotations

from tasks.catalog.classes.object_class import FIRST_OWN_OID, RELATIONS, ObjectClass, exclude_members, list_settings

_CONSTRAINTS = f"""
WITH {RELATIONS}
SELECT 'constraint', quote_ident(conname), relations.name, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint
JOIN relations ON relations.oid = conrelid
WHERE (contype <> 'n' OR NOT convalidated OR connoinherit) AND contype <> 't' AND NOT (contype = 'f' AND conparentid <> 0)"""

_INDEXES = f"""
WITH {RELATIONS}
SELECT 'index', indexrelid::regclass::text, relations.name, pg_get_indexdef(indexrelid)
    || coalesce(' TABLESPACE ' || quote_ident(spcname), '')
    || coalesce(E';\\nALTER INDEX ' || indexrelid::regclass || ' ' || (
        SELECT string_agg('ALTER COLUMN ' || attnum || ' SET STATISTICS ' || attstattarget, ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = indexrelid AND attstattarget >= 0), '')
    || CASE WHEN indisvalid AND indisready AND indislive THEN '' ELSE E'\\n-- INVALID' END
FROM pg_index
JOIN relations ON relations.oid = indrelid
JOIN pg_class AS class ON class.oid = indexrelid
LEFT JOIN pg_tablespace ON pg_tablespace.oid = class.reltablespace
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid AND contype IN ('p', 'u', 'x'))
   OR NOT indisvalid OR class.reloptions IS NOT NULL OR class.reltablespace <> 0"""

_VIEWS = f"""
WITH {RELATIONS}
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name, '', concat_ws(' ',
    CASE WHEN amname <> 'heap' THEN 'USING ' || quote_ident(amname) END,
    'WITH (' || {list_settings("reloptions")} || ')',
    'TABLESPACE ' || quote_ident(spcname),
    'AS ' || rtrim(ltrim(pg_get_viewdef(relations.oid)), ';'))
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

CLASSES = (
    ObjectClass("constraints", _CONSTRAINTS),
    ObjectClass("indexes", _INDEXES),
    ObjectClass(
        "views and materialized views", _VIEWS, trace=f"FROM pg_class WHERE oid >= {FIRST_OWN_OID} AND relkind IN ('v', 'm')"
    ),
    ObjectClass("triggers", _TRIGGERS, trace="FROM pg_trigger"),
    ObjectClass("rules", _RULES, trace=f"FROM pg_rewrite WHERE oid >= {FIRST_OWN_OID} AND rulename <> '_RETURN'"),
    ObjectClass("statistics objects", _STATISTICS, trace="FROM pg_statistic_ext"),
    ObjectClass("event triggers", _EVENT_TRIGGERS, trace="FROM pg_event_trigger"),
)
