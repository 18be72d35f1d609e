"""Prove on scratch that files lead from one schema to another and back, in tables with generated rows.

A file may fail because of rows that it cannot know: a column that is NOT NULL without a default, a constraint that rows violate.
Then the table of the statement is emptied, the file runs again, and the failure is a condition of the migration.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from tasks.catalog import COLUMN_ORDER, Catalog, compare, show_difference
from tasks.generation.proof.kept_rows import Rows, find_changed, list_ancestors, rename_table
from tasks.generation.proof.row_targets import find_relations
from tasks.generation.proposal import RowProof
from tasks.generation.states import UNWRITTEN
from tasks.rehearsal.model import Direction, RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.rows import compare_rows, fill_tables, read_rows
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, RunnerError

_BY_ROWS = ("22", "23")
"""The classes of errors about values: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_NULLS = ("23502", "23514")
"""NOT NULL, and a check constraint, which may be the safe form of it."""
_MOST_STARTS = 50
"""How often a proof begins again without some rows; each time, there are fewer."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """What is proved: the files, how many of them can be undone, and the schemas before and after them."""

    files: tuple[RehearsedMigration, ...]
    undone: tuple[RehearsedMigration, ...]
    """The files that have a down, in the order of their ups: the last ones."""
    before: Catalog
    """The schema before, with the objects under their new names."""
    after: Catalog
    renames: tuple[ObjectRename, ...] = ()
    timeout_s: float | None = None


class _StartAgainError(Exception):
    """Rows must be absent from the beginning, or a file of several transactions failed because of rows."""


@dataclass(slots=True)
class _Absent:
    """The rows that make a file fail, and its errors."""

    with_nulls: list[str] = field(default_factory=list)
    """The tables without rows that have a NULL."""
    emptied: dict[tuple[str, Direction], list[str]] = field(default_factory=dict)
    """The tables that are emptied before a file runs in a direction."""
    conditions: dict[str, None] = field(default_factory=dict)
    all: bool = False
    """Whether no table has rows, because it is not known whose rows make a file fail: those below a materialized view."""


class UnprovedError(RefusedError):
    """Files are not proved: they fail, lead to another schema, or lose rows; `problem` is what is wrong with them."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the migration is not proved: {problem}",
            hint="Write this change by hand (inv db.new NAME), then run this command again for the others.",
            state=UNWRITTEN,
        )
        self.problem = problem


def prove(server: ScratchServer, base: Sequence[RehearsedMigration], plan: ProofPlan) -> RowProof:
    """Run the files up, down and up again in the state after `base`, in tables with rows, and compare schemas and rows.

    The order of columns does not count. Raises RefusedError if a file fails for another reason than rows, if the schema after the
    ups is not the target, if a down does not restore the one before its up, or if a column that stays has other values.
    """
    absent = _Absent()
    for _ in range(_MOST_STARTS):
        with state_after(server, base, timeout_s=plan.timeout_s) as database, suppress(_StartAgainError):
            return _Trial(database, plan, absent).run()
    raise UnprovedError("it fails on tables with rows again and again:\n" + "\n".join(absent.conditions))


class _Trial:
    """One run of the files on a database with rows."""

    def __init__(self, database: ScratchDatabase, plan: ProofPlan, absent: _Absent) -> None:
        self._database = database
        self._plan = plan
        self._absent = absent
        self._cleared: set[str] = set()
        """The tables that lost rows because one was emptied, under the names that they had then."""

    def run(self) -> RowProof:
        unfilled, expected = self._fill()
        schemas = [self._run(file, "up") for file in self._plan.files]
        _compare(self._plan.after, schemas[-1][1], "the files have another result")
        if changed := find_changed(
            self._list_kept(expected), self._read(), self._plan.before, self._plan.after, self._plan.renames
        ):
            raise UnprovedError(f"the up changes rows that it should keep: {changed}")
        undone = self._plan.undone
        for file, (before, _) in zip(reversed(undone), reversed(schemas), strict=False):
            _, after = self._run(file, "down")
            _compare(before, after, f"the down of {file.name} does not undo its up")
        kept = self._list_kept(expected)
        lost = tuple(compare_rows(kept, self._read())) if undone else ()
        again = [self._run(file, "up") for file in undone]
        if again:
            _compare(schemas[-1][1], again[-1][1], "up after down has another result")
        return RowProof(len(self._list_kept(kept)), tuple(self._absent.conditions), unfilled, lost)

    def _fill(self) -> tuple[tuple[str, ...], Rows]:
        """Fill the tables; return those that got no rows, and the rows of the others."""
        if self._absent.all:
            return (), {}
        with connect(self._database.url, name="migrate-rows") as connection:
            unfilled = tuple(f"{each.table}: {each.reason}" for each in fill_tables(connection))
        for table in self._absent.with_nulls:
            self._execute(f"DELETE FROM {table} AS t WHERE NOT (t IS NOT NULL)")
        return unfilled, {name: each for name, each in self._read().items() if each.rows}

    def _list_kept(self, expected: Rows) -> Rows:
        """Return what was in the tables that were not emptied on the way."""
        return {
            name: each
            for name, each in expected.items()
            if self._cleared.isdisjoint({name, rename_table(name, self._plan.renames)})
        }

    def _run(self, file: RehearsedMigration, direction: Direction) -> tuple[Catalog, Catalog]:
        """Run a file, again without rows of a table where these make it fail; return the schemas before and after it."""
        emptied = self._absent.emptied.setdefault((file.name, direction), [])
        for table in emptied:
            self._empty(table)
        while True:
            with Rehearsal(self._database, timeout_s=self._plan.timeout_s) as rehearsal:
                before = rehearsal.read_catalog()
                trial = rehearsal.run(file, direction)
                if trial.unchecked:
                    listed = "".join(f"\n  {each}" for each in trial.unchecked)
                    raise UnprovedError(f"scratch cannot run these statements:{listed}")
                if trial.error is None:
                    return before, rehearsal.read_catalog()
            table = self._find_table(trial.error, file, direction, emptied)
            self._absent.conditions.setdefault(f"{direction}: {trial.error.message.partition(chr(10))[0]}")
            if not table:
                self._absent.all = True
                raise _StartAgainError
            if trial.error.sqlstate in _NULLS and table not in self._absent.with_nulls:
                self._absent.with_nulls.append(table)
                raise _StartAgainError
            emptied.append(table)
            if not trial.clean:
                raise _StartAgainError
            self._empty(table)

    def _find_table(self, error: RunnerError, file: RehearsedMigration, direction: Direction, emptied: Sequence[str]) -> str:
        """Return the table whose rows an error is about, empty if it is not known; raises UnprovedError for another error."""
        if error.sqlstate[:2] not in _BY_ROWS or self._absent.all:
            raise UnprovedError(show_failure(f"{direction} fails on scratch", error))
        text = (file.up if direction == "up" else file.down) or ""
        relations = find_relations(text, error.place.line if error.place else 0, self._plan.before)
        return next((each for each in relations if each not in emptied and self._has_rows(each)), "")

    def _has_rows(self, table: str) -> bool:
        """Return True if a relation, which may be a partition, has rows."""
        with connect(self._database.url, name="migrate-rows") as connection, suppress(psycopg.Error):
            return connection.execute(f"SELECT FROM {table} LIMIT 1".encode()).fetchone() is not None
        return False

    def _empty(self, table: str) -> None:
        before = self._read()
        self._execute(f"TRUNCATE {table} CASCADE")
        after = self._read()
        self._cleared |= {name for name, each in before.items() if each.rows != after[name].rows}
        self._cleared |= list_ancestors(table, (self._plan.before, self._plan.after))

    def _execute(self, statement: str) -> None:
        with connect(self._database.url, name="migrate-rows") as connection, suppress(psycopg.Error):
            connection.execute(statement.encode())

    def _read(self) -> Rows:
        with connect(self._database.url, name="migrate-rows") as connection:
            return read_rows(connection)


def show_failure(what: str, error: RunnerError) -> str:
    """Return what failed and why, with the line of SQL that it is about."""
    source = error.place.source.strip() if error.place else ""
    return f"{what}: {error.message}\n  {source}" if source else f"{what}: {error.message}"


def _compare(wanted: Catalog, actual: Catalog, what: str) -> None:
    found = compare(wanted, actual).without({COLUMN_ORDER})
    if found:
        lines = list(show_difference(found))
        more = [f"and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
        listed = "\n".join(f"  {line}" for line in (*lines[:_SHOWN], *more))
        raise UnprovedError(f"{what} (- expected, + found):\n{listed}")
