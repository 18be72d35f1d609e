"""Prove on scratch that files lead from one schema to another and back, in tables with generated rows.

A file may fail because of rows that it cannot know: a column that is NOT NULL without a default, a constraint that rows violate.
Then the table of the statement is emptied, the file runs again, and the failure is a condition of the migration. Where the rows
must be absent from the beginning, the run continues without them only to find all such rows, and the proof begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from tasks.catalog import COLUMN_ORDER, Catalog, Difference, compare, show_difference
from tasks.generation.proof.kept_rows import Rows, find_changed, list_ancestors, rename_table
from tasks.generation.proof.row_targets import changes_rows, find_relations
from tasks.generation.proof.trigger_effects import TriggerEffect, find_effects, leave_out
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

_BY_ROWS, _RAISED = ("21", "22", "23"), "P0"
"""The classes of errors about rows, and that of errors which PL/pgSQL functions raise, for example in a check.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
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
    """Files are not proved: they fail, lead to another schema, or lose rows; `problem` is what is wrong with them.

    `version` is that of the file, and `table` the table whose rows changed; empty where it concerns none.
    """

    def __init__(self, problem: str, *, version: str = "", table: str = "") -> None:
        super().__init__(
            f"the migration is not proved: {problem}",
            hint="Write this change by hand (inv db.new NAME), then run this command again for the others.",
            state=UNWRITTEN,
        )
        self.problem, self.version, self.table = problem, version, table


def prove(server: ScratchServer, base: Sequence[RehearsedMigration], plan: ProofPlan) -> RowProof:
    """Run the files up, down and up again in the state after `base`, in tables with rows, and compare schemas and rows.

    The order of columns does not count. Raises RefusedError if a file fails for another reason than rows, if the schema after the
    ups is not the target, if a down does not restore the one before its up, or if a column that stays has other values.
    """
    absent = _Absent()
    for _ in range(_MOST_STARTS):
        with (
            state_after(server, base, timeout_s=plan.timeout_s) as database,
            suppress(_StartAgainError),
            Rehearsal(database, timeout_s=plan.timeout_s) as rehearsal,
        ):
            return _Trial(database, rehearsal, plan, absent).run()
    raise UnprovedError("it fails on tables with rows again and again:\n" + "\n".join(absent.conditions))


class _Trial:
    """One run of the files on a database with rows."""

    def __init__(self, database: ScratchDatabase, rehearsal: Rehearsal, plan: ProofPlan, absent: _Absent) -> None:
        self._database = database
        self._rehearsal = rehearsal
        self._plan = plan
        self._absent = absent
        self._effects: tuple[TriggerEffect, ...] = ()
        self._cleared: set[str] = set()
        """The tables that lost rows because one was emptied, under the names that they had then."""
        self._explores = False
        """Whether the rows are others than those of a run from the beginning, so that nothing is proved any more."""
        self._is_without_rows = absent.all

    def run(self) -> RowProof:
        """Run the files; raises UnprovedError, and _StartAgainError where rows must be absent from the beginning."""
        try:
            return self._prove()
        except UnprovedError:
            if self._explores:
                raise _StartAgainError from None
            raise

    def _prove(self) -> RowProof:
        unfilled, expected = self._fill()
        schemas = [self._rehearsal.read_catalog()]
        for file in self._plan.files:
            self._run(file, "up")
            schemas.append(self._read_catalog())
        self._compare(self._plan.after, schemas[-1], "the files have another result")
        if not self._explores:
            self._check_rows(expected)
        undone = self._plan.undone
        for file, before in zip(reversed(undone), reversed(schemas[:-1]), strict=False):
            self._run(file, "down")
            self._compare(before, self._read_catalog(), f"the down of {file.name} does not undo its up", file.name)
        if self._explores:
            raise _StartAgainError
        kept = self._list_kept(expected)
        lost = tuple(compare_rows(kept, self._read())) if undone else ()
        for file in undone:
            self._run(file, "up")
        if undone:
            self._compare(schemas[-1], self._read_catalog(), "up after down has another result")
        if self._explores:
            raise _StartAgainError
        triggers = tuple(effect.sentence for effect in self._effects)
        orders = compare(schemas[-1], self._plan.after).only({COLUMN_ORDER}).changes
        return RowProof(len(self._list_kept(kept)), tuple(self._absent.conditions), unfilled, lost, triggers, orders)

    def _fill(self) -> tuple[tuple[str, ...], Rows]:
        """Fill the tables; return those that got no rows, and the rows of the others."""
        if self._absent.all:
            return (), {}
        with connect(self._database.url, name="migrate-rows") as connection:
            unfilled = tuple(f"{each.table}: {each.reason}" for each in fill_tables(connection))
        for table in self._absent.with_nulls:
            self._delete_nulls(table)
        filled = {name: each for name, each in self._read().items() if each.rows}
        texts = [text for file in self._plan.files for text in (file.up, file.down or "")]
        with connect(self._database.url, name="migrate-rows") as connection:
            self._effects = find_effects(connection, texts, filled, self._plan.renames)
        return unfilled, leave_out(filled, self._effects)

    def _check_rows(self, expected: Rows) -> None:
        """Raise UnprovedError if the up changed rows that it should keep."""
        plan = self._plan
        changed = find_changed(self._list_kept(expected), self._read(), plan.before, plan.after, plan.renames)
        if changed:
            raise UnprovedError(f"the up changes rows that it should keep: {changed[1]}", table=changed[0])

    def _list_kept(self, expected: Rows) -> Rows:
        """Return what was in the tables that were not emptied on the way."""
        return {
            name: each
            for name, each in expected.items()
            if self._cleared.isdisjoint({name, rename_table(name, self._plan.renames)})
        }

    def _run(self, file: RehearsedMigration, direction: Direction) -> None:
        """Run a file, without rows of a table where these make it fail."""
        emptied = self._absent.emptied.setdefault((file.name, direction), [])
        for table in emptied:
            self._empty(table)
        text = (file.up if direction == "up" else file.down) or ""

        def repair(error: RunnerError, clean: bool) -> bool:
            if self._absent.all or not _is_by_rows(error, text):
                return False
            self._absent.conditions.setdefault(self._describe(file, direction, error.message.partition("\n")[0]))
            table = self._find_table(text, error, emptied)
            if table:
                return self._remove(table, error, emptied, clean=clean)
            self._absent.all = True
            return False

        trial = self._rehearsal.run(file, direction, repair=repair)
        if trial.unchecked:
            listed = "".join(f"\n  {each}" for each in trial.unchecked)
            raise UnprovedError(f"scratch cannot run these statements:{listed}", version=file.name)
        if trial.error is not None:
            if self._absent.all and not self._is_without_rows:
                raise _StartAgainError
            raise UnprovedError(show_failure(f"{direction} fails on scratch", trial.error), version=file.name)

    def _describe(self, file: RehearsedMigration, direction: Direction, message: str) -> str:
        """Return a failure with its direction, and with the words of one file of several if it does not name the table."""
        is_clear = len(self._plan.files) == 1 or 'relation "' in message
        words = file.name.partition("_")[2]
        return f"{direction if is_clear else f'{direction} of {words}'}: {message}"

    def _remove(self, table: str, error: RunnerError, emptied: list[str], *, clean: bool) -> bool:
        """Remove the rows that may make a file fail, in this database, if that is possible, and in the next one."""
        if error.sqlstate in _NULLS and table not in self._absent.with_nulls:
            self._absent.with_nulls.append(table)
            self._explores = True
            return self._delete_nulls(table)
        emptied.append(table)
        self._explores = self._explores or not clean
        self._empty(table)
        return True

    def _find_table(self, text: str, error: RunnerError, emptied: Sequence[str]) -> str:
        """Return the table whose rows an error is about, empty if it is not known."""
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

    def _delete_nulls(self, table: str) -> bool:
        return self._execute(f"DELETE FROM {table} AS t WHERE NOT (t IS NOT NULL)")

    def _execute(self, statement: str) -> bool:
        """Execute a statement and return whether that was possible."""
        with connect(self._database.url, name="migrate-rows") as connection, suppress(psycopg.Error):
            connection.execute(statement.encode())
            return True
        return False

    def _read_catalog(self) -> Catalog:
        return self._plan.after if self._explores else self._rehearsal.read_catalog()

    def _compare(self, wanted: Catalog, actual: Catalog, what: str, version: str = "") -> None:
        """Raise UnprovedError if two schemas differ in more than the order of columns."""
        found = Difference() if self._explores else compare(wanted, actual).without({COLUMN_ORDER})
        if found:
            lines = list(show_difference(found))
            more = [f"and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
            listed = "\n".join(f"  {line}" for line in (*lines[:_SHOWN], *more))
            raise UnprovedError(f"{what} (- expected, + found):\n{listed}", version=version)

    def _read(self) -> Rows:
        with connect(self._database.url, name="migrate-rows") as connection:
            return read_rows(connection)


def _is_by_rows(error: RunnerError, text: str) -> bool:
    """Return True if rows make a file fail; what a trigger raises when rows change is no reason to have none."""
    line = error.place.line if error.place else 0
    return error.sqlstate[:2] in _BY_ROWS or (error.sqlstate.startswith(_RAISED) and not changes_rows(text, line))


def show_failure(what: str, error: RunnerError) -> str:
    """Return what failed and why, with the line of SQL that it is about."""
    source = error.place.source.strip() if error.place else ""
    return f"{what}: {error.message}\n  {source}" if source else f"{what}: {error.message}"
