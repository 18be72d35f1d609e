"""Fill the tables that a file touches with rows like those of a live table: thousands, without NULLs and duplicates.

Numbers count from 1 in every table, so that keys match, also those of foreign keys that a file adds. Other tables stay empty.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import psycopg
from psycopg import sql

from tasks.forecast.observing.relations import ScratchSchema
from tasks.rehearsal.rows.filling import Filling
from tasks.rehearsal.rows.order import order_tables
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.rows.shapes import ColumnToFill, Reference, Shapes, TableToFill
from tasks.rehearsal.rows.values import suggest
from tasks.rehearsal.scratch.policies import without_policies

ROWS = 2000
_UNREFERENCED = 20
"""How many rows of a table no row of another table refers to: they can be deleted."""
_PARTITIONS = 12
"""The number of partitions of a table that get rows."""
_FEW_ROWS = 200
_COSTLY_TYPES = frozenset({"vector", "halfvec", "sparsevec"})
"""Types of pgvector, whose indexes take milliseconds for each row; a table with such a column gets few rows."""
_MOST_RELATED = 50
"""How many tables get rows beside those that a file names, the nearest ones first."""
_FILL_S = 20.0
"""How long the tables of one file are filled, in seconds; those after that stay empty."""
_SETTINGS = "SET LOCAL statement_timeout = '10s'; SET LOCAL row_security = on; SET LOCAL search_path TO DEFAULT"
_WORD = re.compile(r"\w+")
_DELETE = re.compile(r"\bDELETE\s+FROM\b", re.IGNORECASE)
EXPRESSIONS = {
    "int2": "g % 30000",
    "int4": "g",
    "int8": "g",
    "oid": "g",
    "numeric": "g",
    "float4": "g",
    "float8": "g",
    "money": "g",
    "text": "g",
    "varchar": "g",
    "bpchar": "g",
    "name": "g",
    "citext": "g",
    "bool": "(g % 2 = 0)",
    "date": "pg_catalog.date '2020-01-01' + g",
    "timestamp": "pg_catalog.timestamp '2020-01-01' + g * interval '1 hour'",
    "timestamptz": "pg_catalog.timestamptz '2020-01-01 00:00Z' + g * interval '1 hour'",
    "time": "pg_catalog.time '00:00' + g * interval '1 second'",
    "interval": "g * interval '1 second'",
    "uuid": "pg_catalog.md5(g::text)",
    "bytea": "pg_catalog.convert_to(g::text, 'UTF8')",
    "jsonb": "pg_catalog.jsonb_build_object('n', g)",
    "json": "pg_catalog.json_build_object('n', g)",
}
"""The value of the row with the number g, by the name of the type; a cast to the type of the column follows."""
_BOUNDS = """
SELECT pg_get_expr(c.relpartbound, c.oid), p.partattrs[0]::int, format_type(a.atttypid, NULL)
  FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_partitioned_table p ON p.partrelid = i.inhparent
  JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
 WHERE c.oid = ANY (%s) AND p.partnatts = 1 AND i.inhparent = %s
"""
_TYPES = "SELECT attnum::int, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s AND attnum > 0"
_RANGE = re.compile(r"FOR VALUES FROM \(('[^']*'|-?\d+)\) TO \(('[^']*'|-?\d+)\)")
_LIST = re.compile(r"FOR VALUES IN \(('[^']*'|-?\d+)")
_STEPS = {
    "date": "{low}::date + (g % greatest(1, {high}::date - {low}::date))",
    "timestamp without time zone": "{low}::timestamp + g * (({high}::timestamp - {low}::timestamp) / {count})",
    "timestamp with time zone": "{low}::timestamptz + g * (({high}::timestamptz - {low}::timestamptz) / {count})",
    "integer": "{low}::int8 + g % greatest(1, {high}::int8 - {low}::int8)",
    "bigint": "{low}::int8 + g % greatest(1, {high}::int8 - {low}::int8)",
}
"""A value within the bounds of a partition, by the type of its key."""


def find_touched(schema: ScratchSchema, text: str) -> set[int]:
    """Return the tables that a file may touch: those whose names occur in it, and those that foreign keys connect with them.

    A name is found within a quoted name, a string, or the text of a function that the file names too. Of a partition, the topmost
    table counts. If the file deletes rows, what only refers to them stays empty, unless the key cascades: a DELETE of a row that
    is referred to fails.
    """
    words = _list_words(schema, text)
    named: set[int] = set()
    for oid, relation in schema.relations.items():
        name = relation.name.partition(".")[2] or relation.name
        if words.issuperset(_WORD.findall(name.lower())):
            named.add(relation.table or oid)
    if not named:
        return named
    deletes = bool(_DELETE.search(text))
    referring = {key.table for key in schema.foreign_keys if key.referenced in named and (key.cascades or not deletes)}
    return named | set(islice(_list_related(schema, named, referring), _MOST_RELATED))


def _list_related(schema: ScratchSchema, named: Collection[int], referring: Collection[int]) -> Iterator[int]:
    """Yield the tables on whose rows those of the named ones depend, and those that refer to them, the nearest ones first."""
    related: dict[int, set[int]] = defaultdict(set)
    for parent, children in schema.children.items():
        for child in children:
            related[child].add(parent)
    for key in schema.foreign_keys:
        related[key.table].add(key.referenced)
    seen = set(named)
    new = sorted(set(referring) - seen)
    yield from new
    seen.update(new)
    pending = deque([*named, *new])
    while pending:
        oid = pending.popleft()
        found = sorted((related[oid] | set(schema.bases.get(oid, ()))) - seen)
        yield from found
        seen.update(found)
        pending.extend(found)


def _list_words(schema: ScratchSchema, text: str) -> set[str]:
    """Return the words of a file, with those of the functions that it names, and of those that these name."""
    found: set[str] = set()
    waiting = [text]
    while waiting:
        new = {word.lower() for word in _WORD.findall(waiting.pop())} - found
        found |= new
        waiting += [schema.functions[name] for name in new & schema.functions.keys()]
    return found


def fill(connection: psycopg.Connection, schema: ScratchSchema, touched: Collection[int]) -> list[str]:
    """Fill tables with rows, in one transaction, and return those that got none."""
    shapes = read_shapes(connection, touched)
    if not shapes.tables:
        return []
    try:
        with without_policies(connection):
            connection.execute(_SETTINGS)
            empty = list(_Filler(connection, schema, shapes).fill())
        for table in shapes.tables.values():
            connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(table.name)))
    except psycopg.Error:
        return [table.name for table in shapes.tables.values()]
    return empty


class _Filler:
    """The procedure that fills some tables of one database."""

    def __init__(self, connection: psycopg.Connection, schema: ScratchSchema, shapes: Shapes) -> None:
        self._connection = connection
        self._schema = schema
        self._shapes = shapes
        self._filling = Filling(connection, shapes)
        self._privileged = connection.info.parameter_status("is_superuser") == "on"

    def fill(self) -> Iterator[str]:
        """Fill the tables in the order of their foreign keys, advance their sequences, and yield the tables without rows."""
        if self._privileged:
            self._connection.execute("SET LOCAL session_replication_role = replica")
        until = time.monotonic() + _FILL_S
        ordered = list(order_tables(self._shapes))
        rows = _count_rows(ordered)
        for table, later in ordered:
            if not self._has_rows(table) and (time.monotonic() > until or not self._fill_table(table, later, rows[table.oid])):
                yield table.name
        for sequence, tables in self._schema.sequences.items():
            if any(table in self._shapes.tables for table in tables) and sequence in self._schema.relations:
                self._advance(self._schema.relations[sequence].name)

    def _advance(self, sequence: str) -> None:
        query = f"SELECT setval({{}}::regclass, {2 * ROWS}) FROM {sequence} WHERE last_value < {2 * ROWS}"
        self._try(sql.SQL(query).format(sql.Literal(sequence)))

    def _has_rows(self, table: TableToFill) -> bool:
        return self._connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.SQL(table.name))).fetchone() is not None

    def _fill_table(self, table: TableToFill, later: tuple[Reference, ...], rows: int) -> bool:
        """Fill a table with values of its types, else with copies of a row that its constraints accept."""
        values = {
            column.number: expression
            for column in table.columns.values()
            if (expression := self._choose(column)) and not self._is_left(column, table, later)
        }
        parts = list(self._list_partitions(table))
        if parts:
            filled = [self._insert(table, values | bound, rows // len(parts)) for bound in parts]
            return any(filled)
        if self._insert(table, values, rows):
            return True
        if self._filling.add_first_row(table, later):
            return False
        unique = {number for key in table.uniques for number in key}
        copied = {number: text if number in unique else f"r.{_quote(table, number)}" for number, text in values.items()}
        self._insert(table, copied, rows, f"(SELECT * FROM {table.name} LIMIT 1) r, ", start=2)
        return True

    def _is_left(self, column: ColumnToFill, table: TableToFill, later: tuple[Reference, ...]) -> bool:
        """Return True for a column that the server fills, or that refers to a table that is filled later."""
        computed = column.generated and bool(column.default)
        return computed or any(column.number == own for reference in later for own, _ in reference.columns)

    def _choose(self, column: ColumnToFill) -> str:
        """Return the expression for a column's value in the row with the number g; "" if none is known."""
        type_, modifier = column.type, column.modifier
        while type_.kind == "d":
            base, own = type_.parts[0]
            type_, modifier = self._shapes.types.get(base, replace(type_, kind="?")), own
        if type_.kind == "e" and type_.labels:
            labels = ",".join(sql.Literal(label).as_string(self._connection) for label in type_.labels)
            return f"(ARRAY[{labels}])[1 + g % {len(type_.labels)}]"
        expression = EXPRESSIONS.get(type_.name, "")
        if expression == "g" and type_.name in ("varchar", "bpchar") and modifier >= 0:
            return f"right(g::text, {modifier - 4})"
        if expression:
            return expression
        found = suggest(type_, modifier, 1, self._shapes.types)
        return sql.Literal(found[0]).as_string(self._connection) if found else ""

    def _list_partitions(self, table: TableToFill) -> Iterator[dict[int, str]]:
        """Yield the value of the key within the bounds of some partitions, if the table has partitions with simple bounds."""
        children = list(self._schema.children.get(table.oid, ()))
        if not children or table.oid not in self._schema.relations or self._schema.relations[table.oid].kind != "p":
            return
        rows = self._connection.execute(_BOUNDS, [children, table.oid]).fetchall()
        count = min(len(rows), _PARTITIONS)
        for bounds, number, kind in rows[:_PARTITIONS]:
            match, listed = _RANGE.match(bounds), _LIST.match(bounds)
            if match and kind in _STEPS:
                yield {number: _STEPS[kind].format(low=match[1], high=match[2], count=ROWS // count + 1)}
            elif listed:
                yield {number: listed[1]}

    def _insert(self, table: TableToFill, values: Mapping[int, str], rows: int, source: str = "", *, start: int = 1) -> bool:
        """Insert rows of these expressions for the numbers from `start` on; return False if that fails or adds none."""
        columns = f"({', '.join(_quote(table, number) for number in values)}) " if values else ""
        from_ = f"FROM {source}generate_series({start}, {rows}) g ON CONFLICT DO NOTHING"
        query = f"INSERT INTO {table.name} {columns}OVERRIDING SYSTEM VALUE SELECT {self._cast(table, values)} {from_}"
        return self._try(sql.SQL(query))

    def _cast(self, table: TableToFill, values: Mapping[int, str]) -> str:
        """Return the expressions, each as the type of its column."""
        types: dict[int, str] = dict(self._connection.execute(_TYPES, [table.oid]).fetchall())
        return ", ".join(f"({text})::{types[number]}" for number, text in values.items())

    def _try(self, query: sql.SQL | sql.Composed) -> bool:
        try:
            with self._connection.transaction():
                return self._connection.execute(query).rowcount != 0
        except psycopg.Error:
            return False


def _count_rows(ordered: Sequence[tuple[TableToFill, tuple[Reference, ...]]]) -> dict[int, int]:
    """Return how many rows each table gets: those that others refer to get more, and those with costly indexes few."""
    costly = {table.oid for table, _ in ordered if any(each.type.name in _COSTLY_TYPES for each in table.columns.values())}
    rows = {table.oid: _FEW_ROWS if table.oid in costly else ROWS for table, _ in ordered}
    for table, _ in ordered:
        for reference in table.references:
            if reference.target in costly and reference.target != table.oid:
                rows[table.oid] = min(rows[table.oid], rows[reference.target] - _UNREFERENCED)
    for table, _ in reversed(ordered):
        for reference in table.references:
            if reference.target in rows and reference.target not in costly | {table.oid}:
                rows[reference.target] = max(rows[reference.target], min(rows[table.oid] + _UNREFERENCED, 2 * ROWS))
    return rows


def _quote(table: TableToFill, number: int) -> str:
    return sql.Identifier(table.columns[number].name).as_string(None)
