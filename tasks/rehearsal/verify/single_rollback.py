"""Prove on scratch that one migration can be rolled back under later ones: as if it had never been applied.

The schema after the rollback must be that of a replay without the migration, and so must the rows: those that the migrations
write, and generated rows that exist before the migration. What its down leaves behind when it is the newest is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg

from tasks.catalog import COLUMN_ORDER, Catalog, Difference, compare, read_catalog, show_difference
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.events import RollbackProved
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import read_left_out, run_migration, state_after
from tasks.rehearsal.rows import fill_tables, read_rows
from tasks.rehearsal.rows.contents import Contents
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.redaction import redact

_UNCHANGED = "Nothing was changed."
_MOST_LINES = 20
_VARYING = frozenset({"timestamptz", "timestamp", "date", "time", "timetz", "uuid"})
"""Types whose values can differ between two replays, because a clock or a random generator makes them."""


class _UpError(Exception):
    """A migration fails on scratch."""

    def __init__(self, version: str, error: RunnerError) -> None:
        super().__init__(version)
        self.version = version
        self.error = error


@dataclass(frozen=True, slots=True)
class _Reached:
    """The schema and the rows of a scratch database, without values that vary."""

    catalog: Catalog
    rows: Mapping[str, Contents]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a rollback is not the same as if the migration had never been applied; empty if it is."""

    reason: str = ""
    schema: Difference = field(default_factory=Difference)
    rows: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What differs in the rows, by table and column."""

    def without(self, own: _Problem) -> _Problem:
        """Return the problem without what differs even if the migration is the newest."""
        changes = tuple(change for change in self.schema.changes if change not in own.schema.changes)
        return _Problem(self.reason, Difference(changes), {key: text for key, text in self.rows.items() if key not in own.rows})

    @property
    def text(self) -> str:
        """Return the problem in words, empty if there is none."""
        if self.reason:
            return self.reason
        lines = [*show_difference(self.schema), *self.rows.values()]
        if not lines:
            return ""
        more = [f"and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
        shown = "\n".join(f"  {line}" for line in (*lines[:_MOST_LINES], *more))
        return f"the result is not the one of a replay without it (- without it, + after the rollback):\n{shown}"


class SingleRollback:
    """The proof for one migration: `applied` are all applied ones in the order of their history, with the texts that count."""

    def __init__(
        self, server: ScratchServer, applied: Sequence[RehearsedMigration], version: str, *, timeout_s: float | None = None
    ) -> None:
        place = [migration.name for migration in applied].index(version)
        self._server = server
        self._target = applied[place]
        self._before = tuple(applied[:place])
        self._later = tuple(applied[place + 1 :])
        self._timeout_s = timeout_s

    def prove(self) -> RollbackProved:
        """Return the proof; raises RefusedError if a later migration needs this one, or if that cannot be found out."""
        notes = self._prove(with_rows=False)
        try:
            notes = (*notes, *self._prove(with_rows=True))
        except _UpError as failed:
            notes = (*notes, f"generated rows were not tried: {failed.version} fails on them: {failed.error.message}")
        return RollbackProved(self._target.name, tuple(each.name for each in self._later), tuple(dict.fromkeys(notes)))

    def _prove(self, *, with_rows: bool) -> tuple[str, ...]:
        """Raise RefusedError with the first later migration that needs this one; return what was not tried."""
        try:
            own, notes = self._try((), with_rows=with_rows)
            problem = self._try(self._later, with_rows=with_rows)[0].without(own)
        except _UpError as failed:
            if with_rows:
                raise
            raise self._refuse_replay(failed.error) from failed
        if not self._later or not problem.text:
            return notes
        for count in range(1, len(self._later)):
            earlier = self._try(self._later[:count], with_rows=with_rows)[0].without(own)
            if earlier.text:
                raise self._refuse(self._later[count - 1].name, earlier.text)
        raise self._refuse(self._later[-1].name, problem.text)

    def _try(self, later: tuple[RehearsedMigration, ...], *, with_rows: bool) -> tuple[_Problem, tuple[str, ...]]:
        """Return what is different after a rollback under these migrations, and the tables without generated rows.

        Raises _UpError if a migration fails though nothing is rolled back.
        """
        with self._reach((self._target, *later), with_rows=with_rows) as (database, notes):
            error = run_migration(database, self._target, "down", timeout_s=self._timeout_s)
            if error is not None:
                return _Problem(f"its down text fails: {redact(error.message, self._server.url)}"), notes
            rolled_back = _read_state(database)
        try:
            with self._reach(later, with_rows=with_rows) as (database, _):
                expected = _read_state(database)
        except _UpError as failed:
            reason = redact(failed.error.message, self._server.url)
            return _Problem(f"{failed.version} fails without it: {reason}"), notes
        schema = compare(expected.catalog, rolled_back.catalog).without({COLUMN_ORDER})
        return _Problem("", schema, dict(_compare_rows(expected.rows, rolled_back.rows))), notes

    @contextmanager
    def _reach(
        self, migrations: tuple[RehearsedMigration, ...], *, with_rows: bool
    ) -> Iterator[tuple[ScratchDatabase, tuple[str, ...]]]:
        """Yield a scratch database after the migrations before this one and these, and which tables got no rows in between."""
        start = self._before if with_rows else (*self._before, *migrations)
        notes: tuple[str, ...] = ()
        with ExitStack() as stack:
            try:
                database = stack.enter_context(state_after(self._server, start, timeout_s=self._timeout_s))
            except ScratchError:
                raise
            except RunnerError as error:
                raise _UpError(_name(error, migrations), error) from error
            if with_rows:
                with connect(database.url, name="migrate-rows") as connection:
                    notes = tuple(f"{each.table}: no rows were generated: {each.reason}" for each in fill_tables(connection))
                for migration in migrations:
                    failed = run_migration(database, migration, "up", timeout_s=self._timeout_s)
                    if failed is not None:
                        raise _UpError(migration.name, failed)
            self._refuse_lacks(database)
            yield database, notes

    def _refuse_lacks(self, database: ScratchDatabase) -> None:
        lacking = [NotChecked(each.shown, each.lack) for each in read_left_out(database) if each.lack]
        refuse_lacks(lacking, self._server.version, embedded=self._server.embedded, what="not proved")

    def _refuse(self, needed_by: str, problem: str) -> RefusedError:
        version = self._target.name
        reason = problem.replace(f"{needed_by} fails", "it fails")
        return RefusedError(
            f"{version} cannot be rolled back alone: {needed_by} was applied after it and needs it: {reason}",
            hint=f"Roll back {needed_by} first, or write a new migration that undoes {version}: inv db.new NAME",
            state=_UNCHANGED,
        )

    def _refuse_replay(self, error: RunnerError) -> RefusedError:
        return RefusedError(
            f"not proved: the applied migrations cannot be replayed on scratch: {redact(error.message, self._server.url)}",
            hint="inv db.verify --all shows which migration fails there.",
            state=_UNCHANGED,
            place=error.place,
        )


def _name(error: RunnerError, migrations: Sequence[RehearsedMigration]) -> str:
    """Return which migration an error is about, as its place shows."""
    file = error.place.file if error.place else ""
    named = [migration.name for migration in migrations if migration.name in file]
    return named[0] if named else "a later migration"


def _read_state(database: ScratchDatabase) -> _Reached:
    with connect(database.url, name="migrate-verify") as connection:
        return _Reached(read_catalog(connection), _read_stable_rows(connection))


def _read_stable_rows(connection: psycopg.Connection) -> dict[str, Contents]:
    """Return the contents of all tables without the columns whose values a sequence, a clock or a random generator makes."""
    stable = {
        table.name: {
            column.name
            for column in table.columns.values()
            if not (column.generated or column.counts or column.type.name in _VARYING)
        }
        for table in read_shapes(connection).tables.values()
    }
    return {
        name: Contents(found.rows, {column: values for column, values in found.columns.items() if column in stable[name]})
        for name, found in read_rows(connection).items()
    }


def _compare_rows(expected: Mapping[str, Contents], found: Mapping[str, Contents]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield a line for each table with another number of rows, and for each column with other values."""
    for name in sorted(expected.keys() & found.keys()):
        one, other = expected[name], found[name]
        if one.rows != other.rows:
            yield (name, ""), f"~ rows of {name}: {one.rows} without it, {other.rows} after the rollback"
            continue
        for column in sorted(one.columns.keys() & other.columns.keys()):
            if one.columns[column] != other.columns[column]:
                yield (name, column), f"~ values of column {column} of {name}"
