"""Functions, procedures and aggregates."""

from __future__ import annotations

from tasks.catalog.classes.object_class import FIRST_OWN_OID, SCHEMAS, ObjectClass, exclude_members, exclude_parts


def _name_modify(column: str) -> str:
    return f"CASE {column} WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END"


_ROUTINES = f"""
WITH {SCHEMAS}
SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, proc.oid::regprocedure::text, '', pg_get_functiondef(proc.oid)
FROM pg_proc AS proc
JOIN user_schemas ON user_schemas.oid = pronamespace
WHERE prokind <> 'a' AND {exclude_members("pg_proc", "proc.oid")}
  AND {exclude_parts("pg_proc", "proc.oid")}"""
# Without the functions that belong to another object, such as the constructors of a range type.

_AGGREGATES = f"""
WITH {SCHEMAS}
SELECT 'aggregate', proc.oid::regprocedure::text, '', '(' || pg_get_function_arguments(proc.oid) || ') (' || concat_ws(', ',
    'SFUNC = ' || aggtransfn, 'STYPE = ' || format_type(aggtranstype, NULL), 'SSPACE = ' || nullif(aggtransspace, 0),
    'FINALFUNC = ' || nullif(aggfinalfn, 0::regproc)::regproc, CASE WHEN aggfinalextra THEN 'FINALFUNC_EXTRA' END,
    CASE WHEN aggfinalmodify <> CASE aggkind WHEN 'n' THEN 'r' ELSE 'w' END::"char"
         THEN 'FINALFUNC_MODIFY = ' || {_name_modify("aggfinalmodify")} END,
    'COMBINEFUNC = ' || nullif(aggcombinefn, 0::regproc)::regproc, 'SERIALFUNC = ' || nullif(aggserialfn, 0::regproc)::regproc,
    'DESERIALFUNC = ' || nullif(aggdeserialfn, 0::regproc)::regproc, 'INITCOND = ' || quote_literal(agginitval),
    'MSFUNC = ' || nullif(aggmtransfn, 0::regproc)::regproc, 'MINVFUNC = ' || nullif(aggminvtransfn, 0::regproc)::regproc,
    'MSTYPE = ' || format_type(nullif(aggmtranstype, 0), NULL), 'MSSPACE = ' || nullif(aggmtransspace, 0),
    'MFINALFUNC = ' || nullif(aggmfinalfn, 0::regproc)::regproc, CASE WHEN aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
    CASE WHEN aggmfinalfn <> 0 AND aggmfinalmodify <> CASE aggkind WHEN 'n' THEN 'r' ELSE 'w' END::"char"
         THEN 'MFINALFUNC_MODIFY = ' || {_name_modify("aggmfinalmodify")} END,
    'MINITCOND = ' || quote_literal(aggminitval), 'SORTOP = OPERATOR(' || nullif(aggsortop, 0)::regoper || ')',
    CASE proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
    CASE aggkind WHEN 'h' THEN 'HYPOTHETICAL' END) || ')'
FROM pg_proc AS proc
JOIN pg_aggregate ON aggfnoid = proc.oid
JOIN user_schemas ON user_schemas.oid = pronamespace
WHERE {exclude_members("pg_proc", "proc.oid")}"""

CLASSES = (
    ObjectClass("functions and procedures", _ROUTINES, trace=f"FROM pg_proc WHERE oid >= {FIRST_OWN_OID}"),
    ObjectClass("aggregates", _AGGREGATES, trace=f"FROM pg_aggregate WHERE aggfnoid::oid >= {FIRST_OWN_OID}"),
)
