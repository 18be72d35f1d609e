"""Read the definitions of all tables from the catalog, with one query per kind of object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from tasks.rehearsal.rows.shapes import Check, ColumnToFill, Reference, Shapes, TableToFill, Type

_TYPES = """
SELECT t.oid::int8, t.typname::text, CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN 'a' ELSE t.typtype::text END,
       CASE t.typtype WHEN 'd' THEN ARRAY[[t.typbasetype::int8, t.typtypmod]]
                      WHEN 'r' THEN (SELECT ARRAY[[rngsubtype::int8, -1]] FROM pg_range WHERE rngtypid = t.oid)
                      WHEN 'm' THEN (SELECT ARRAY[[rngtypid::int8, -1]] FROM pg_range WHERE rngmultitypid = t.oid)
                      WHEN 'c' THEN (SELECT array_agg(ARRAY[atttypid::int8, atttypmod] ORDER BY attnum) FROM pg_attribute
                                      WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped)
                      ELSE ARRAY[[t.typelem::int8, -1]] END,
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder), t.typnotnull,
       ARRAY(SELECT ARRAY[conname::text, pg_get_constraintdef(oid)] FROM pg_constraint WHERE contypid = t.oid)
  FROM pg_type t
 WHERE (t.typtype <> 'c' OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
"""
_NEEDED_TYPES = f"""
WITH RECURSIVE needed (oid) AS (
  SELECT atttypid FROM pg_attribute WHERE attrelid = ANY (%s) AND attnum > 0 AND NOT attisdropped
   UNION
  SELECT part.oid FROM needed JOIN pg_type t ON t.oid = needed.oid CROSS JOIN LATERAL (
           SELECT t.typbasetype UNION ALL SELECT t.typelem
            UNION ALL SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid
            UNION ALL SELECT rngtypid FROM pg_range WHERE rngmultitypid = t.oid
            UNION ALL SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
         ) part (oid))
{_TYPES} AND t.oid IN (SELECT oid FROM needed)
"""
_TABLES = """
SELECT c.oid::int8, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relname !~ '^schema_migrations'
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
"""
_COLUMNS = """
SELECT a.attrelid::int8, a.attnum::int, a.attname::text, a.atttypid::int8, a.atttypmod, a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity <> '' OR a.attgenerated <> ''
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""
_CONSTRAINTS = """
SELECT conrelid::int8, conname::text, contype::text, coalesce(conkey, '{}'), confrelid::int8, coalesce(confkey, '{}'),
       condeferrable, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE conrelid = ANY (%s) AND contype IN ('c', 'f') ORDER BY conrelid, conname
"""
_WHOLE_ROW = 0
_PARTITIONS = """
SELECT r.oid::int8, ARRAY(SELECT DISTINCT own.attnum FROM pg_partition_tree(r.oid) t
                      JOIN pg_partitioned_table p ON p.partrelid = t.relid
                      JOIN pg_attribute a ON a.attrelid = t.relid AND a.attnum = ANY (p.partattrs::int2[])
                      JOIN pg_attribute own ON own.attrelid = r.oid AND own.attname = a.attname),
       (SELECT coalesce(string_agg(pg_get_expr(c.relpartbound, c.oid), ' '), '')
          FROM pg_partition_tree(r.oid) t JOIN pg_class c ON c.oid = t.relid)
  FROM pg_class r WHERE r.oid = ANY (%s) AND r.relkind = 'p'
"""
_UNIQUES = """
SELECT i.indrelid::int8, ARRAY(
         SELECT k::int FROM unnest(i.indkey) k WHERE k > 0
          UNION SELECT refobjsubid FROM pg_depend
           WHERE refclassid = 'pg_class'::regclass AND refobjid = i.indrelid AND refobjsubid > 0
             AND (classid = 'pg_class'::regclass AND objid = i.indexrelid
                  OR classid = 'pg_constraint'::regclass AND objid = c.oid))
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
 WHERE i.indrelid = ANY (%s) AND (i.indisunique OR i.indisexclusion)
"""


def read_shapes(connection: psycopg.Connection, only: Collection[int] | None = None) -> Shapes:
    """Return the user tables, without those of extensions, the ledger, and partitions; with `only`, those with these oids."""
    wanted = f"{_TABLES} AND c.oid = ANY (%s) ORDER BY 2"
    found = connection.execute(f"{_TABLES} ORDER BY 2") if only is None else connection.execute(wanted, [list(only)])
    names: dict[int, str] = dict(found.fetchall())
    oids = list(names)
    rows = connection.execute(_TYPES) if only is None else connection.execute(_NEEDED_TYPES, [oids])
    types = {row[0]: _build_type(row) for row in rows}
    columns: dict[int, dict[int, ColumnToFill]] = defaultdict(dict)
    for table, number, name, type_, modifier, required, default, generated in connection.execute(_COLUMNS, [oids]):
        chain = _list_domains(types, type_)
        not_null = required or any(each.not_null for each in chain)
        checks = tuple(check for each in chain for check in each.checks)
        known = types.get(type_, Type(type_, "unknown", "?"))
        columns[table][number] = ColumnToFill(number, name, known, modifier, not_null, default, generated, checks)
    checks_of: dict[int, list[Check]] = defaultdict(list)
    references: dict[int, list[Reference]] = defaultdict(list)
    for table, name, kind, own, target, foreign, deferrable, text in connection.execute(_CONSTRAINTS, [oids]):
        if kind == "c":
            # A negative number is that of a system column.
            numbers = columns[table] if _WHOLE_ROW in own else [number for number in own if number in columns[table]]
            checks_of[table].append(Check(name, tuple(numbers), text))
        else:
            references[table].append(Reference(target, tuple(zip(own, foreign, strict=True)), deferrable))
    for table, keys, bounds in connection.execute(_PARTITIONS, [oids]):
        checks_of[table].append(Check("", tuple(keys or columns[table]), bounds))
    uniques: dict[int, list[frozenset[int]]] = defaultdict(list)
    for table, numbers in connection.execute(_UNIQUES, [oids]):
        uniques[table].append(frozenset(numbers))
    tables = {
        oid: TableToFill(oid, name, columns[oid], tuple(checks_of[oid]), tuple(uniques[oid]), tuple(references[oid]))
        for oid, name in names.items()
    }
    return Shapes(tables, types)


def _build_type(row: tuple[Any, ...]) -> Type:
    oid, name, kind, parts, labels, not_null, checks = row
    made = tuple((part[0], part[1]) for part in parts or () if part[0])
    return Type(oid, name, kind, made, tuple(labels), not_null, tuple((check[0], check[1]) for check in checks))


def _list_domains(types: Mapping[int, Type], oid: int) -> list[Type]:
    """Return the domain of an oid, and the domains that it is based on."""
    found: list[Type] = []
    while oid in types and types[oid].kind == "d":
        found.append(types[oid])
        oid = types[oid].parts[0][0]
    return found
