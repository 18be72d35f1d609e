"""Forecast a run after an adoption: rehearse the pending migrations on a copy of the live schema.

A copy has no rows, and another server may lack what the live one has. So a forecast states what was rehearsed where, and nothing
is called a failure of the next run that may be one of the rehearsal only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType

import psycopg

from tasks.adopt.live import LiveDatabase
from tasks.adopt.prospects import Cause, Forecast, Prospects
from tasks.adopt.row_changes import (
    FindFilled,
    RepeatedInserts,
    count_rows,
    list_extensions,
    list_possible,
    list_repeats,
    may_insert,
)
from tasks.adopt.schema_copy import NotRehearsedError, copy_schema
from tasks.adopt.trials import TIMEOUT_S
from tasks.catalog import COLUMN_ORDER, Catalog, compare
from tasks.postgres.server.cluster import ServerError
from tasks.rehearsal.errors import LockedOutError, ScratchError, ServerWideError, TimeLimitError
from tasks.rehearsal.lacks import LackError, find_lack_error
from tasks.rehearsal.model import RehearsedMigration, Trial
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.extensions import UnsafeExtensionError
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError, StatementError
from tasks.runner.ledger.tool_tables import exclude_tool_tables

_OF_SCRATCH = (LackError, LockedOutError, ScratchError, ServerWideError, TimeLimitError, UnsafeExtensionError)
_STATES_OF_SCHEMA = frozenset(
    {"42P01", "42P06", "42P07", "42P16", "42601", "42701", "42703", "42710", "42712", "42723", "42804", "42830", "2BP01"}
)
"""Undefined and duplicate relations, columns, schemas, objects and functions; wrong types, syntax, keys and table definitions.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_CLASSES_OF_ROWS = ("21", "22", "23", "P0")
"""Wrong numbers of rows, data, constraints, and errors that PL/pgSQL raises."""


def foresee(
    server: ScratchServer,
    present: Sequence[RehearsedMigration],
    pending: Sequence[RehearsedMigration],
    live: Catalog,
    source: LiveDatabase | None,
    *,
    proved: bool,
) -> Prospects:
    """Run the pending migrations one after the other on a copy of the live schema, as a run does, up to the first that fails.

    If replaying the present migrations is `proved` to result in the live schema, that is the copy; else it is a dump of `source`.
    Without a copy, they run after the present migrations, and the result does not apply to the live schema. Never raises an
    error: the verdicts do not depend on this.
    """
    rehearsal = _Pending(pending, live, source.find_filled if source is not None else frozenset[str])
    try:
        with _copy_live(server, present, source, proved=proved) as database:
            forecasts, differences = rehearsal.run(database)
        repeats, lacking = rehearsal.list_repeats(), rehearsal.list_unavailable(source)
        return Prospects(forecasts, "", differences, _describe_server(server, live), repeats, lacking)
    except _FAULTS as error:
        reason = _describe_fault(error)
    try:
        with _replay(server, present) as database:
            forecasts, _ = rehearsal.run(database)
    except _FAULTS:
        forecasts = {}
    return Prospects(forecasts, reason, repeats=rehearsal.list_repeats(), unavailable=rehearsal.list_unavailable(source))


def _describe_server(server: ScratchServer, live: Catalog) -> str:
    own, other = server.version // 10000, live.server_version // 10000
    return f"PostgreSQL {own}" if own != other else ""


_FAULTS = (RunnerError, ServerError, psycopg.Error, OSError)


def _describe_fault(error: Exception) -> str:
    text = error.message if isinstance(error, RunnerError | ServerError) else str(error)
    return text.partition("\n")[0]


@contextmanager
def _copy_live(
    server: ScratchServer, present: Sequence[RehearsedMigration], source: LiveDatabase | None, *, proved: bool
) -> Iterator[ScratchDatabase]:
    if proved:
        with _replay(server, present) as database:
            yield database
        return
    if source is None:
        raise NotRehearsedError("the schema of a database that is not reached directly cannot be copied")
    try:
        text = source.dump()
    except RunnerError as error:
        raise NotRehearsedError(f"pg_dump cannot read this schema: {_describe_fault(error)}") from error
    with copy_schema(server, text) as database:
        yield database


@contextmanager
def _replay(server: ScratchServer, present: Sequence[RehearsedMigration]) -> Iterator[ScratchDatabase]:
    with server.make() as database:
        with Rehearsal(database, timeout_s=TIMEOUT_S) as rehearsal:
            for migration in present:
                rehearsal.run(migration, "up")
        yield database


class _Copy:
    """A scratch database, and the session that rehearses in it; it is closed where the database is copied."""

    def __init__(self, database: ScratchDatabase) -> None:
        self.database = database
        self._stack = ExitStack()
        self._open: Rehearsal | None = None

    def __enter__(self) -> _Copy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def rehearsal(self) -> Rehearsal:
        """Return the session; it is opened if it is not."""
        if self._open is None:
            self._open = self._stack.enter_context(Rehearsal(self.database, timeout_s=TIMEOUT_S))
        return self._open

    def close(self) -> None:
        """Close the session."""
        self._open = None
        self._stack.close()


@dataclass(slots=True)
class _Pending:
    """The pending migrations, and what each inserts whether it exists or not, as far as a rehearsal showed it."""

    migrations: Sequence[RehearsedMigration]
    live: Catalog
    find_filled: FindFilled
    repeats: dict[str, RepeatedInserts] = field(default_factory=dict)

    def run(self, database: ScratchDatabase) -> tuple[dict[str, Forecast], tuple[str, ...]]:
        """Run them up to the first that fails; return the forecasts, and the objects that differ from the live schema before."""
        forecasts: dict[str, Forecast] = {}
        with _Copy(database) as bench:
            before = bench.rehearsal.read_catalog()
            changes = compare(self.live, exclude_tool_tables(before, made=self.live)).without({COLUMN_ORDER}).changes
            for migration in self.migrations:
                trial = self._run_one(bench, migration)
                error = trial.error or find_lack_error(trial.lacking)
                if error is not None:
                    message = error.message.partition("\n")[0]
                    forecasts[migration.name] = Forecast(error=message, cause=find_cause(error))
                    break
                after = bench.rehearsal.read_catalog()
                forecasts[migration.name] = Forecast(after != before, skipped=trial.unchecked)
                before = after
        return forecasts, tuple(str(change.key) for change in changes)

    def list_repeats(self) -> dict[str, RepeatedInserts]:
        """Return what each migration inserts, whether it exists or not; by its text if it was not rehearsed."""
        return {
            migration.name: self.repeats.get(migration.name) or list_possible(migration, self.live, self.find_filled)
            for migration in self.migrations
        }

    def list_unavailable(self, source: LiveDatabase | None) -> dict[str, str]:
        """Return the extension that a migration creates and that the live server does not have, by version."""
        created = {migration.name: list_extensions(migration) for migration in self.migrations}
        wanted = {name for names in created.values() for name in names}
        lacking = source.list_unavailable(wanted) if source is not None and wanted else frozenset[str]()
        return {version: name for version, names in created.items() for name in reversed(names) if name in lacking}

    def _run_one(self, bench: _Copy, migration: RehearsedMigration) -> Trial:
        counts = may_insert(migration)
        rows = count_rows(bench.database) if counts else Counter[str]()
        trial = bench.rehearsal.run(migration, "up")
        if counts and trial.error is None:
            bench.close()
            with suppress(RunnerError, psycopg.Error):
                inserted = count_rows(bench.database) - rows
                repeats = list_repeats(bench.database, migration, self.live, inserted, self.find_filled, TIMEOUT_S)
                self.repeats[migration.name] = repeats
        return trial


def find_cause(error: RunnerError) -> Cause:
    """Return what an error in a rehearsal depends on."""
    if isinstance(error, StatementError):
        if error.sqlstate in _STATES_OF_SCHEMA:
            return "schema"
        if error.sqlstate[:2] in _CLASSES_OF_ROWS:
            return "rows"
    return "scratch" if error.sqlstate or isinstance(error, _OF_SCRATCH) else "schema"
