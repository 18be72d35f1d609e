"""Read the facts about a schema that rules need from pg_catalog, with one query per kind of object."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from tasks.lint.schema import ColumnFacts, IndexFacts, RoutineFacts, SchemaFacts, TableConstraint, TableFacts, UseFacts
from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.own_connection import find_schemas

_NO_PATH = ("public",)
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NAME = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
_COLUMN_NAMES = """ARRAY(
    SELECT coalesce(a.attname::text, '') FROM unnest({keys}) WITH ORDINALITY AS k (number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = {relation} AND a.attnum = k.number AND k.number > 0 ORDER BY k.place)"""

_TABLES = f"""
SELECT c.oid::int8, {_NAME}, c.relkind::text,
       ARRAY(SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND {_OWN}
   AND NOT (c.relkind = 'r' AND c.relname LIKE 'schema\\_migrations%')"""
_COLUMNS = """
SELECT a.attrelid::int8, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text, a.attgenerated::text
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"""
_INDEXES = f"""
SELECT i.indrelid::int8, {_NAME},
       {_COLUMN_NAMES.format(keys="(i.indkey::int2[])[0:i.indnkeyatts - 1]", relation="i.indrelid")},
       pg_get_indexdef(i.indexrelid), i.indisunique, i.indisprimary, i.indisvalid AND i.indisready,
       coalesce(pg_get_expr(i.indpred, i.indrelid), ''), m.amname::text
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_am m ON m.oid = c.relam
 WHERE i.indrelid = ANY (%s)"""
_CONSTRAINTS = f"""
SELECT c.conrelid::int8, c.conname::text, c.contype::text,
       {_COLUMN_NAMES.format(keys="coalesce(c.conkey, '{}')", relation="c.conrelid")},
       pg_get_constraintdef(c.oid), c.convalidated, c.confrelid::int8,
       {_COLUMN_NAMES.format(keys="coalesce(c.confkey, '{}')", relation="c.confrelid")}
  FROM pg_constraint c WHERE c.conrelid = ANY (%s)"""
# A dependency of a view is that of its rule. Those within one table are of no interest, except for generated columns; nor are
# those of the foreign keys of partitions, which are dropped with that of the parent.
_USES = """
SELECT DISTINCT
       CASE WHEN r.ev_class IS NOT NULL AND v.relkind IN ('v', 'm')
            THEN CASE v.relkind WHEN 'v' THEN 'view ' ELSE 'materialized view ' END || v.oid::regclass
            ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END,
       coalesce(tn.nspname, yn.nspname, pn.nspname)::text,
       coalesce(t.relname, y.typname, p.proname)::text, coalesce(a.attname, '')::text
  FROM pg_depend d
  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_class v ON v.oid = r.ev_class
  LEFT JOIN pg_attrdef g ON d.classid = 'pg_attrdef'::regclass AND g.oid = d.objid
  LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
  LEFT JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
  LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_type y ON d.refclassid = 'pg_type'::regclass AND y.oid = d.refobjid
  LEFT JOIN pg_namespace yn ON yn.oid = y.typnamespace
  LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
  LEFT JOIN pg_namespace pn ON pn.oid = p.pronamespace
  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
 WHERE d.refobjid >= 16384 AND d.objid >= 16384
   AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass)
   AND (d.deptype = 'n' OR d.deptype = 'a' AND g.adrelid = d.refobjid AND g.adnum <> d.refobjsubid AND d.refobjsubid > 0)
   AND NOT (r.ev_class IS NOT NULL AND r.ev_class = d.refobjid)
   AND k.conrelid IS DISTINCT FROM d.refobjid AND coalesce(k.conparentid, 0) = 0
   AND coalesce(tn.nspname, yn.nspname, pn.nspname) !~ '^pg_'"""
_ROUTINES = f"""
SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname), l.lanname::text, pg_get_functiondef(p.oid), p.prosrc,
       ARRAY(SELECT DISTINCT quote_ident(tn.nspname) || '.' || quote_ident(c.relname) FROM pg_trigger t
              JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace WHERE t.tgfoid = p.oid)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
 WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind IN ('f', 'p') AND p.prosqlbody IS NULL AND {_OWN}
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')"""
_ENUMS = f"""
SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e' AND {_OWN}"""


def read_schema(connection: psycopg.Connection) -> SchemaFacts:
    """Return the facts about the schema of a database."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_TABLES).fetchall()
        names: dict[int, str] = {row[0]: row[1] for row in rows}
        oids = [list(names)]
        columns: dict[int, dict[str, ColumnFacts]] = defaultdict(dict)
        for oid, name, *rest in cursor.execute(_COLUMNS, oids):
            columns[oid][name] = ColumnFacts(name, *rest)
        indexes: dict[int, list[IndexFacts]] = defaultdict(list)
        tables_of: dict[str, str] = {}
        for oid, name, keys, *rest in cursor.execute(_INDEXES, oids):
            indexes[oid].append(IndexFacts(name, tuple(keys), *rest))
            tables_of[name] = names[oid]
        constraints: dict[int, list[TableConstraint]] = defaultdict(list)
        for row in cursor.execute(_CONSTRAINTS, oids):
            constraints[row[0]].append(_build_constraint(row, names))
        tables = {
            name: TableFacts(
                name,
                kind,
                columns[oid],
                tuple(indexes[oid]),
                tuple(constraints[oid]),
                tuple(names[parent] for parent in parents if parent in names),
            )
            for oid, name, kind, parents in rows
        }
        return SchemaFacts(
            tables,
            tuple(_build_use(row) for row in cursor.execute(_USES)),
            tuple(_build_routine(row) for row in cursor.execute(_ROUTINES)),
            {name: tuple(labels) for name, labels in cursor.execute(_ENUMS)},
            tables_of,
            tuple(find_schemas(connection)) or _NO_PATH,
        )


def _build_constraint(row: tuple[Any, ...], names: dict[int, str]) -> TableConstraint:
    _, name, kind, columns, definition, validated, target, referenced = row
    return TableConstraint(
        name, kind, tuple(columns), definition, validated, names.get(target, ""), tuple(referenced) if target else ()
    )


def _build_use(row: tuple[Any, ...]) -> UseFacts:
    user, schema, name, column = row
    return UseFacts(user, quote_qualified(schema, name), column)


def _build_routine(row: tuple[Any, ...]) -> RoutineFacts:
    name, language, definition, body, tables = row
    return RoutineFacts(name, language, definition, body, tuple(tables))
