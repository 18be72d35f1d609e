"""Fill all tables with a few rows, the referenced ones first; return the tables that cannot be filled, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import errors, sql

from tasks.rehearsal.rows.inserting import Inserter
from tasks.rehearsal.rows.order import order_tables
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.rows.recipe import FIRST, ROWS, Recipe, Row, UnfillableError
from tasks.rehearsal.rows.shapes import Reference, Shapes, TableToFill
from tasks.rehearsal.rows.values import suggest
from tasks.rehearsal.scratch.policies import without_policies
from tasks.runner.planning.server_texts import describe_reason

_SHIFTS = (0, 1, 100, 1000)
"""Offsets that are added to unique values if existing rows already have them."""
_PARENTS = 10
_SETTINGS = "SET LOCAL statement_timeout = '10s'; SET LOCAL row_security = on; SET LOCAL search_path TO DEFAULT"
"""The limit is that of a statement with its triggers. These may need the role's search_path, so our own names are qualified."""
_UNIQUE = (errors.UniqueViolation, errors.ExclusionViolation)


@dataclass(frozen=True, slots=True)
class UnfilledTable:
    """A table that got no rows, and the reason."""

    table: str
    reason: str


def fill_tables(connection: psycopg.Connection) -> list[UnfilledTable]:
    """Fill all tables of a database in one transaction, and return those that got no rows."""
    # Prepared statements fail if the schema changes.
    shapes = read_shapes(connection)
    try:
        with without_policies(connection):
            connection.execute(_SETTINGS)
            return list(Filling(connection, shapes).fill())
    except psycopg.Error as error:
        # An error in a deferred trigger at the end rolls everything back.
        return [UnfilledTable(table.name, _read_reason(error)) for table in shapes.tables.values()]


class Filling:
    """The procedure that fills the tables of one database."""

    def __init__(self, connection: psycopg.Connection, shapes: Shapes) -> None:
        self._connection = connection
        self._shapes = shapes
        self._privileged = connection.info.parameter_status("is_superuser") == "on"
        self._forced: dict[int, dict[int, list[str]]] = {}

    def fill(self) -> Iterator[UnfilledTable]:
        """Fill the tables in the order of their foreign keys, and yield the unfilled ones; defer checks only within a cycle."""
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        order = list(order_tables(self._shapes))
        while order:
            cycle = self._take_cycle(order)
            yield from self._fill_cycle(cycle)

    def _take_cycle(
        self, order: list[tuple[TableToFill, tuple[Reference, ...]]]
    ) -> list[tuple[TableToFill, tuple[Reference, ...]]]:
        """Remove and return the next tables that need each other's rows; usually a single table."""
        taken = [order.pop(0)]
        needed = {each.target for table, later in taken for each in later if not table.is_optional(each)}
        while needed:
            taken.append(order.pop(0))
            table, later = taken[-1]
            needed = (needed | {each.target for each in later if not table.is_optional(each)}) - {each[0].oid for each in taken}
        return taken

    def _fill_cycle(self, cycle: list[tuple[TableToFill, tuple[Reference, ...]]]) -> Iterator[UnfilledTable]:
        unfilled: list[UnfilledTable] = []
        try:
            with self._connection.transaction():
                if len(cycle) > 1:
                    self._connection.execute("SET CONSTRAINTS ALL DEFERRED")
                for table, later in cycle:
                    reason = self._fill_table(table, later)
                    if reason:
                        unfilled.append(UnfilledTable(table.name, reason))
                if len(cycle) > 1:
                    self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            unfilled = [UnfilledTable(table.name, f"its foreign keys form a cycle: {_read_reason(error)}") for table, _ in cycle]
        yield from unfilled

    def _fill_table(self, table: TableToFill, later: Sequence[Reference]) -> str:
        """Fill one table; return the reason if it got no row, else ""."""
        try:
            for reference in later:
                if not table.is_optional(reference):
                    self._force(reference)
        except UnfillableError as error:
            return str(error)
        reason, filled = "", 0
        for index in range(ROWS):
            try:
                problem = self._add_row(table, later, index)
            except UnfillableError as error:
                problem = str(error)
            filled += not problem
            reason = reason or problem
        return "" if filled else reason

    def add_first_row(self, table: TableToFill, later: Sequence[Reference] = ()) -> str:
        """Add the row that has a value in every column; return the reason if that is not possible, else ""."""
        try:
            return self._add_row(table, later, 0)
        except UnfillableError as error:
            return str(error)

    def _add_row(self, table: TableToFill, later: Sequence[Reference], index: int) -> str:
        recipe = self._make_recipe(table, later)
        inserter = Inserter(self._connection, recipe, privileged=self._privileged)
        error: psycopg.Error | None = None
        for shift in _SHIFTS:
            row = recipe.make_row(index, shift=shift)
            error = inserter.insert(row, index)
            if index == ROWS - 1 and isinstance(error, errors.CheckViolation):
                error = self._insert_with_fewer_nulls(inserter, recipe, row, error, index)
            if not isinstance(error, _UNIQUE):
                break
        return _read_reason(error) if error else ""

    def _insert_with_fewer_nulls(
        self, inserter: Inserter, recipe: Recipe, row: Row, error: psycopg.Error | None, index: int
    ) -> psycopg.Error | None:
        """Replace the NULLs in columns of violated check constraints by the values of another row, as long as that helps."""
        full = recipe.make_row(1, shift=index)
        for _ in recipe.table.columns:
            check = (
                recipe.table.find_check(error.diag.constraint_name or "") if isinstance(error, errors.CheckViolation) else None
            )
            nulls = [number for number in (check.columns if check else ()) if row.get(number, "") is None]
            if not nulls:
                return error
            for number in nulls:
                del row[number]
                if number in full:
                    row[number] = full[number]
            error = inserter.insert(row, index)
        return error

    def _make_recipe(self, table: TableToFill, later: Sequence[Reference]) -> Recipe:
        parents: dict[Reference, Sequence[tuple[str, ...]] | None] = {}
        for reference in table.references:
            if reference in later:
                parents[reference] = None if table.is_optional(reference) else self._list_forced(reference)
            else:
                parents[reference] = self._read_parents(reference)
        return Recipe(self._shapes, table, parents, self._forced.get(table.oid, {}))

    def _force(self, reference: Reference) -> None:
        """Fix the key values of rows that are inserted later, because earlier rows refer to them."""
        table = self._shapes.tables.get(reference.target)
        if table is None or not reference.deferrable:
            raise UnfillableError("its foreign keys form a cycle in which no key is nullable or deferrable")
        forced = self._forced.setdefault(table.oid, {})
        for _, number in reference.columns:
            column = table.columns[number]
            values = [suggest(column.type, column.modifier, FIRST + index, self._shapes.types) for index in range(ROWS)]
            if not all(values):
                raise UnfillableError(f"no known value for column {column.name} of type {column.type.name}")
            forced.setdefault(number, [each[0] for each in values])

    def _list_forced(self, reference: Reference) -> list[tuple[str, ...]]:
        forced = self._forced[reference.target]
        return [tuple(forced[number][index] for _, number in reference.columns) for index in range(ROWS)]

    def _read_parents(self, reference: Reference) -> list[tuple[str, ...]]:
        table = self._shapes.tables.get(reference.target)
        if table is None:
            return []
        names = [sql.Identifier(table.columns[number].name) for _, number in reference.columns]
        texts = sql.SQL(", ").join(sql.SQL("{}::pg_catalog.text").format(name) for name in names)
        query = sql.SQL("SELECT {} FROM ").format(texts)
        present = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in names)
        query += sql.SQL(table.name) + sql.SQL(" WHERE ") + present + sql.SQL(f" LIMIT {_PARENTS}")
        return [tuple(row) for row in self._connection.execute(query)]


def _read_reason(error: psycopg.Error) -> str:
    return describe_reason(error)
