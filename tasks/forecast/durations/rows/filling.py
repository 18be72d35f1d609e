"""Fill tables of a scratch database with many rows, whose shape follows the statistics of the live tables."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import errors, sql

from tasks.forecast.durations.live_sizes import LiveSize, LiveSizes
from tasks.forecast.durations.rows.blueprints import collect_needed
from tasks.forecast.durations.rows.composing import TableRecipe, build_form
from tasks.forecast.durations.rows.fitting import fit_values
from tasks.forecast.durations.rows.partitions import choose_leaves, read_leaves
from tasks.forecast.durations.rows.resolving import Wanted, resolve_wanted
from tasks.forecast.durations.rows.values import ColumnForm
from tasks.rehearsal.rows.order import order_tables
from tasks.rehearsal.rows.shapes import Reference, Shapes, TableToFill
from tasks.rehearsal.rows.triggers import without_triggers
from tasks.rehearsal.scratch.policies import without_policies
from tasks.runner.events.numbers import ColumnNumbers
from tasks.runner.planning.server_texts import describe_reason

_ROWS, _BYTES = 100_000, 64 << 20
"""How many rows a table gets at most, and how large it may become."""
_PARENT_ROWS, _UNKNOWN_PARENT_ROWS = 2_000, 1_000
"""How many rows a table gets that is only referred to."""
_FIRST = 500
_ROW_OVERHEAD = 28
_TOAST_FROM, _DISTINCT = 500, 0.9
_SETTINGS = "SET LOCAL statement_timeout = '10s'; SET LOCAL row_security = on; SET CONSTRAINTS ALL IMMEDIATE"
_TYPES = "SELECT attnum::int, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s AND attnum > 0"
_SIZES = """
SELECT w.name, greatest(c.reltuples, 0)::float8, pg_table_size(c.oid)::int8, pg_indexes_size(c.oid)::int8
  FROM unnest(%s::text[]) AS w(name) JOIN pg_class c ON c.oid = to_regclass(w.name)
"""
_TOASTED = ("text", "jsonb", "json", "bytea", "varchar")


@dataclass(frozen=True, slots=True)
class FilledTables:
    """The sizes on scratch of the tables that were to be filled, by name, and the reasons why some of them have no rows."""

    sizes: Mapping[str, LiveSize] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowSource:
    """From what the rows are generated: the live sizes and statistics, and the values that the pending files mention."""

    live: LiveSizes
    mentioned: Mapping[str, tuple[str, ...]]
    seconds: float
    """How long the filling of one table may take."""
    deadline: float
    """The time of time.monotonic() after which no table is filled any more."""
    most_rows: Mapping[str, int] = field(default_factory=dict)
    """How many rows some tables get at most."""

    def read_columns(self, names: Collection[str]) -> dict[str, ColumnNumbers]:
        """Return the statistics of the columns of a table, or of one of its partitions where it has none."""
        for name in sorted(names):
            found = self.live.relations.get(name)
            if found is not None and found.columns:
                return {column.name: column for column in found.columns}
        return {}


def fill_for(connection: psycopg.Connection, names: Collection[str], shapes: Shapes, source: RowSource) -> FilledTables:
    """Fill the tables of these names, and those to which they refer, and return their sizes.

    `shapes` are the tables with the constraints that the rows have to satisfy.
    """
    wanted = resolve_wanted(connection, names)
    problems: dict[str, str] = {}
    needed = collect_needed(shapes, set(wanted.tables))
    restricted = Shapes({oid: shapes.tables[oid] for oid in needed}, shapes.types)
    with without_policies(connection):
        connection.execute(_SETTINGS)
        filling = LargeFilling(connection, restricted, wanted, source)
        for table, later in order_tables(restricted):
            reason = filling.fill(table, later)
            if reason:
                problems.update(dict.fromkeys(wanted.tables.get(table.oid, ()), reason))
    _finish(connection, restricted, wanted)
    rows = connection.execute(_SIZES, [list(names)]).fetchall()
    return FilledTables({name: LiveSize(count, heap, index) for name, count, heap, index in rows}, problems)


class LargeFilling:
    """The procedure that fills the tables of one database, the referenced ones first."""

    def __init__(self, connection: psycopg.Connection, shapes: Shapes, wanted: Wanted, source: RowSource) -> None:
        self._connection = connection
        self._shapes = shapes
        self._wanted = wanted
        self._source = source

    def fill(self, table: TableToFill, later: Sequence[Reference]) -> str:
        """Fill a table, and return the reason if it has no rows, else ""."""
        if time.monotonic() > self._source.deadline:
            return "the time for generating rows was used up"
        names = self._wanted.tables.get(table.oid, set())
        try:
            with self._connection.transaction(), without_triggers(self._connection, table.oid, table.name):
                recipe = self._make_recipe(table, later, names)
                fit_values(self._connection, recipe)
                self._insert(recipe)
        except psycopg.Error as error:
            return describe_reason(error)
        return "" if self._has_rows(table) else "no generated row satisfies its constraints"

    def _insert(self, recipe: TableRecipe) -> None:
        """Insert rows in a few portions, until all are there, or until the next portion would take too long."""
        start, first, count = time.monotonic(), 1, min(_FIRST, recipe.rows)
        while first <= recipe.rows:
            self._connection.execute(recipe.compose_insert(first, first + count - 1))
            first += count
            elapsed = time.monotonic() - start
            left = self._source.seconds - elapsed
            count = min(recipe.rows - first + 1, int((first - 1) / max(elapsed, 0.001) * left * 0.8))
            if count < _FIRST // 10:
                return

    def _make_recipe(self, table: TableToFill, later: Sequence[Reference], names: Collection[str]) -> TableRecipe:
        partitions = [leaf for leaf in read_leaves(self._connection, table.oid) if leaf.name != table.name]
        leaves = tuple(choose_leaves(partitions, names))
        columns = self._source.read_columns(names or {table.name})
        types: dict[int, str] = dict(self._connection.execute(_TYPES, [table.oid]).fetchall())
        parents = {each: self._count_parents(each, table, later) for each in table.references}
        referring = {own for reference in table.references for own, _ in reference.columns}
        unique = _choose_unique(table, columns, referring)
        live = self._measure(table, names)
        wide = live.rows if live.rows >= 1 else _UNKNOWN_PARENT_ROWS
        most = min((self._source.most_rows.get(name, _ROWS) for name in names), default=_PARENT_ROWS)
        rows = int(min(most, max(wide, 1)))
        forms = {
            number: build_form(column, columns.get(column.name), types[number], rows=rows, unique=number in unique)
            for number, column in table.columns.items()
        }
        forms = {
            number: replace(form, literals=self._source.mentioned.get(table.columns[number].name, ()))
            if number not in unique and table.columns[number].type.name in ("text", "varchar", "citext", "bpchar")
            else form
            for number, form in forms.items()
        }
        width = _ROW_OVERHEAD + sum(form.width for form in forms.values())
        if columns and live.rows >= 1:
            width = _widen(table, forms, width, live)
        null_fracs = {
            number: columns[column.name].null_frac for number, column in table.columns.items() if column.name in columns
        }
        recipe = TableRecipe(table, self._shapes, max(1, min(rows, _BYTES // width)), forms, null_fracs, parents, leaves)
        recipe.forms = {number: replace(form, distinct=min(form.distinct, recipe.rows)) for number, form in forms.items()}
        return recipe

    def _measure(self, table: TableToFill, names: Collection[str]) -> LiveSize:
        """Return the live size of a table, or of those of its partitions that are wanted."""
        sizes = [self._source.live.measure(name) for name in names or {table.name}]
        return LiveSize(sum(each.rows for each in sizes), sum(each.heap_bytes for each in sizes))

    def _count_parents(self, reference: Reference, table: TableToFill, later: Sequence[Reference]) -> int:
        """Return how many rows a foreign key can refer to; none for one whose table is filled later."""
        target = self._shapes.tables.get(reference.target)
        if reference in later or target is None or target.oid == table.oid:
            return 0
        row = self._connection.execute(
            sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS t").format(sql.SQL(target.name), sql.Literal(_ROWS))
        ).fetchone()
        return int(row[0]) if row else 0

    def _has_rows(self, table: TableToFill) -> bool:
        return self._connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.SQL(table.name))).fetchone() is not None


def _choose_unique(table: TableToFill, columns: Mapping[str, ColumnNumbers], referring: Collection[int]) -> set[int]:
    """Return the columns whose values all differ: one for each unique key, if possible not that of a foreign key."""
    chosen: set[int] = set()

    def rank(number: int) -> tuple[bool, float, int]:
        found = columns.get(table.columns[number].name)
        distinct = found.n_distinct if found else 0.0
        return number not in referring, -distinct if distinct < 0 else 0.0, number

    for key in sorted(table.uniques, key=len):
        own = [number for number in key if number in table.columns]
        if own and chosen.isdisjoint(own) and not all(number in referring for number in own):
            chosen.add(max(own, key=rank))
    return chosen


def _widen(table: TableToFill, forms: dict[int, ColumnForm], width: int, live: LiveSize) -> int:
    """Add to the widest text the bytes that the live rows have beyond their columns: values that are stored elsewhere (TOAST).

    pg_stats counts only the pointer to such a value: https://www.postgresql.org/docs/current/storage-toast.html
    """
    extra = int(live.heap_bytes / live.rows * _DISTINCT) - width
    fitting = [number for number, column in table.columns.items() if column.type.name in _TOASTED and number in forms]
    if extra < max(_TOAST_FROM, width) or not fitting:
        return width
    widest = max(fitting, key=lambda number: forms[number].width)
    forms[widest] = replace(forms[widest], width=forms[widest].width + extra)
    return width + extra


def _finish(connection: psycopg.Connection, shapes: Shapes, wanted: Wanted) -> None:
    """Refresh the materialized views, and analyse what was filled, as autovacuum does it on a live server."""
    for oid in wanted.views:
        name = sql.SQL(_name(connection, oid))
        try:
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(name))
            connection.execute(sql.SQL("ANALYZE {}").format(name))
        except errors.Error:
            continue
    for oid in shapes.tables:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(shapes.tables[oid].name)))


def _name(connection: psycopg.Connection, oid: int) -> str:
    row = connection.execute("SELECT %s::oid::regclass::text", [oid]).fetchone()
    return str(row[0]) if row else ""
