"""Insert one row, and search for other values if it violates check constraints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
from psycopg import errors, sql

from tasks.rehearsal.rows.literals import read_literals
from tasks.rehearsal.rows.recipe import Recipe, Row
from tasks.rehearsal.rows.shapes import Check, TableToFill
from tasks.rehearsal.rows.triggers import without_triggers

_TRIES = 400
_CANDIDATES = 24
_TRIED_ON = ("22", "23514")
"""Errors for which other values may help: invalid input for a type, or a violated check constraint."""


class Inserter:
    """Inserts rows into one table, each in a savepoint; the connection must be in a transaction."""

    def __init__(self, connection: psycopg.Connection, recipe: Recipe, *, privileged: bool) -> None:
        self._connection = connection
        self._recipe = recipe
        self._table = recipe.table
        self._privileged = privileged
        self._fixed = {own for reference in recipe.parents for own, _ in reference.columns} | set(recipe.forced)
        self._tries = 0

    def insert(self, row: Row, index: int) -> psycopg.Error | None:
        """Insert a row, with other values if check constraints require them; return the error if that is not possible."""
        self._tries = _TRIES
        broken: list[Check] = []
        error = self._try(row)
        while isinstance(error, errors.CheckViolation):
            check = self._table.find_check(error.diag.constraint_name or "")
            if check is None or check in broken or not self._tries:
                return error
            broken.append(check)
            error = self._search(row, index, broken)
        return error

    def _search(self, row: Row, index: int, broken: list[Check]) -> psycopg.Error | None:
        """Try values for all columns of the violated constraints until none is violated; the row is changed in place."""
        texts: dict[int, str] = {}
        for check in broken:
            for number in check.columns:
                texts[number] = f"{texts.get(number, '')} {check.text}"
        numbers = [number for number in texts if number not in self._fixed and not self._table.columns[number].generated]
        candidates = [list(self._list_candidates(number, index, texts[number], row)) for number in numbers]
        error: psycopg.Error | None = errors.CheckViolation("no values were found that satisfy it")
        names = {check.name for check in broken}
        for values in itertools.product(*candidates):
            if not self._tries:
                break
            row.update(zip(numbers, values, strict=True))
            error = self._try(row)
            other = isinstance(error, errors.CheckViolation) and (error.diag.constraint_name or "") not in names
            if error is None or other or not (error.sqlstate or "").startswith(_TRIED_ON):
                return error
        return error

    def _list_candidates(self, number: int, index: int, text: str, row: Row) -> Iterator[str | None]:
        """Yield values for a column: its current one, those in the constraint, and those suggested for its type."""
        column = self._table.columns[number]
        literals = read_literals(f"{text} {' '.join(definition for _, definition in column.checks)}")
        start = index % max(len(literals), 1) if number in self._recipe.list_varying() else 0
        usual = self._recipe.suggest_for(column, index)
        array = [f'{{"{literal}"}}' for literal in literals if '"' not in literal] if column.type.kind == "a" else []
        known = [row[number]] if number in row else []
        listed = [*known, *array, *literals[start:], *literals[:start], *usual, *([] if column.not_null else [None])]
        return itertools.islice(dict.fromkeys(listed), _CANDIDATES)

    def _try(self, row: Row) -> psycopg.Error | None:
        self._tries -= 1
        error = self._insert(row)
        if error is None or (error.sqlstate or "").startswith(("22", "23")):
            return error
        # An error of a trigger on generated rows is not an error of the migration: insert without triggers.
        if not self._privileged:
            return self._insert_without_triggers(row)
        self._connection.execute("SET LOCAL session_replication_role = replica")
        try:
            return self._insert(row)
        finally:
            self._connection.execute("SET LOCAL session_replication_role = origin")

    def _insert_without_triggers(self, row: Row) -> psycopg.Error | None:
        """Insert a row while the table's triggers are disabled, which its owner may do."""
        try:
            with self._connection.transaction(), without_triggers(self._connection, self._table.oid, self._table.name):
                self._connection.execute(compose_insert(self._table, row), list(row.values()))
        except psycopg.Error as error:
            return error
        return None

    def _insert(self, row: Row) -> psycopg.Error | None:
        try:
            with self._connection.transaction():
                self._connection.execute(compose_insert(self._table, row), list(row.values()))
        except psycopg.Error as error:
            return error
        return None


def compose_insert(table: TableToFill, row: Row) -> sql.Composed:
    """Return the INSERT of a row, with a placeholder for each of its values."""
    # A percent sign in a name would be parsed as a placeholder.
    into = sql.SQL("INSERT INTO ") + sql.SQL(table.name.replace("%", "%%"))
    if not row:
        return into + sql.SQL(" DEFAULT VALUES")
    names = sql.SQL(", ").join(sql.Identifier(table.columns[number].name.replace("%", "%%")) for number in row)
    values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
    return into + sql.SQL(" ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(names, values)
