"""Kill runs on scratch databases after each statement, and check that the next run ends like an uninterrupted one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tasks.catalog import Catalog, compare, read_catalog
from tasks.rehearsal.crash_test.workers import CrashWorkers, WorkerResult
from tasks.rehearsal.errors import ON_SCRATCH, ScratchError
from tasks.rehearsal.events import CrashResumed, CrashTestFinished, CrashTestSkipped, CrashTestStarted, RehearsalFinding
from tasks.rehearsal.findings import find_changes, find_error, find_lacks
from tasks.rehearsal.lacks import Lack, NotChecked
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.administration import create_extensions
from tasks.rehearsal.replay.left_out import find_cause
from tasks.rehearsal.replay.missing import find_lack
from tasks.rehearsal.replay.privileges import find_denial
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.replay.server_wide import describe, skip_server_wide
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.policies import without_policies
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.clock import count_ms
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.events import ErrorRaised, Event
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.planning.failures import describe_server_error

_DIFFERS = "the {what} after a killed and resumed run differs from that after an uninterrupted run"


@dataclass(frozen=True, slots=True)
class _State:
    """The state after a run: the schema, the ledger's checksums, and the number of rows of each table."""

    catalog: Catalog
    ledger: dict[str, str | None]
    rows: dict[str, int]


def crash_and_resume(
    server: ScratchServer, selection: Selection, folder: Path, *, timeout_s: float | None = None
) -> Iterator[Event]:
    """Kill and resume runs of the selected migrations, and yield an event for each statement.

    Problems of a migration are findings. Raises RunnerError if something other than a migration fails.
    """
    begun = time.monotonic()
    chosen = selection.list_chosen()
    yield CrashTestStarted(
        len(chosen),
        len(selection.migrations),
        selection.reason,
        server.version,
        selection.environment,
        selection.server_version,
    )
    kills = found = 0
    with CrashWorkers(folder, timeout_s=timeout_s) as workers:
        for migration in chosen:
            before = selection.list_before(migration.name)
            for event in _CrashTest(server, workers, before, migration, timeout_s).run():
                kills += isinstance(event, CrashResumed)
                found += bool(event.findings)
                if isinstance(event, CrashTestSkipped) and any(each.what == "up_fails" for each in event.findings):
                    selection = selection.without({migration.name})
                yield event
    yield CrashTestFinished(len(chosen), kills, found, count_ms(begun))


class _CrashTest:
    """The crash test of one migration."""

    def __init__(
        self,
        server: ScratchServer,
        workers: CrashWorkers,
        before: list[RehearsedMigration],
        migration: RehearsedMigration,
        timeout_s: float | None,
    ) -> None:
        self._server = server
        self._workers = workers
        self._before = before
        self._migration = migration
        self._timeout_s = timeout_s

    def run(self) -> Iterator[CrashResumed | CrashTestSkipped]:
        """Run the migration without interruption, then kill a run after each statement in turn."""
        version = self._migration.name
        try:
            reason, lack = self._find_reason_to_skip(), None
            with ExitStack() as stack:
                database = None if reason else stack.enter_context(self._enter_state())
                result = WorkerResult(killed=False) if database is None else self._workers.run(database, version)
                if database is not None and result.error:
                    reason, lack = self._excuse(database, result.error)
                expected = None if database is None or result.error else _read_state(database)
        except ScratchError:
            raise
        except RunnerError as error:
            message = "cannot be tested because it, or a migration before it, fails"
            yield self._skip(find_error("up_fails", message, error, self._server.url))
            return
        except psycopg.Error as error:
            raise describe_server_error(error, self._server.url, ON_SCRATCH) from error
        if result.error and not reason:
            yield self._skip(RehearsalFinding("up_fails", "up fails", error=result.error))
        elif expected is None:
            lacking = [NotChecked(reason, lack)] if lack else []
            found = find_lacks(lacking, self._server.version, embedded=self._server.embedded)
            yield CrashTestSkipped(version, reason, tuple(found))
        else:
            for number, (line, text) in enumerate(result.statements, 1):
                findings = tuple(self._kill_after(number, expected))
                yield CrashResumed(version, line, text, number, len(result.statements), findings)

    @contextmanager
    def _enter_state(self) -> Iterator[ScratchDatabase]:
        with state_after(self._server, self._before, timeout_s=self._timeout_s) as database:
            self._server.make_roles(roles.find_named(self._migration.up))
            create_extensions(database, self._migration.make_step("up"))
            yield database

    def _excuse(self, database: ScratchDatabase, error: ErrorRaised) -> tuple[str, Lack | None]:
        """Return why an error is not one of the migration, and what the server lacks if it is not excluded.

        It needs rights, or what a statement that needs them makes, or something that the server does not have.
        """
        failure = RunnerError(error.message, sqlstate=error.sqlstate)
        if self._server.limited and find_denial(failure, None):
            return f"the rehearsal's role may not do this: {error.message}", None
        cause = find_cause(failure, read_left_out(database))
        if cause:
            return f"it needs {cause[0]}, which {cause[1].place} would have made", cause[1].lack
        lack = find_lack(failure, None, self._server.administer())
        if lack is None:
            return "", None
        skipped = lack.kind == "role" or lack.name in self._server.without
        return f"it needs {lack}, which the scratch server does not have", None if skipped else lack

    def _skip(self, found: RehearsalFinding) -> CrashTestSkipped:
        return CrashTestSkipped(self._migration.name, found.message, (found,))

    def _find_reason_to_skip(self) -> str:
        """Return why a migration must not run on a scratch server, or ""; raises RunnerError if it cannot be parsed."""
        step = self._migration.make_step("up")
        _, beyond = skip_server_wide(step, ())
        if beyond:
            return f"it reaches beyond its database: {describe(step, beyond[0])}"
        return "it may create a role, and roles belong to the server" if roles.creates_role(self._migration.up) else ""

    def _kill_after(self, number: int, expected: _State) -> Iterator[RehearsalFinding]:
        """Kill a run after a statement, resume it, and yield what differs."""
        with self._enter_state() as database:
            killed = self._workers.run(database, self._migration.name, kill_after=number)
            if not killed.killed:
                yield RehearsalFinding("crash_differs", "the run ended before it could be killed", error=killed.error)
                return
            resumed = self._workers.run(database, self._migration.name)
            if resumed.error:
                yield RehearsalFinding("crash_differs", "the next run cannot resume it", error=resumed.error)
                return
            try:
                actual = _read_state(database)
            except psycopg.Error as error:
                raise describe_server_error(error, self._server.url, ON_SCRATCH) from error
        yield from find_changes("crash_differs", _DIFFERS.format(what="schema"), compare(expected.catalog, actual.catalog))
        for what, before, after in (("ledger", expected.ledger, actual.ledger), ("number of rows", expected.rows, actual.rows)):
            diff = tuple(_compare(before, after))
            if diff:
                yield RehearsalFinding("crash_differs", _DIFFERS.format(what=what), diff=diff)


def _read_state(database: ScratchDatabase) -> _State:
    with connect(database.url, name="migrate-crash") as connection:
        return _State(read_catalog(connection), dict(read_ledger(connection).checksums), _count_rows(connection))


def _count_rows(connection: psycopg.Connection) -> dict[str, int]:
    names = [table.name for table in read_shapes(connection).tables.values()]
    if not names:
        return {}
    counts = [sql.SQL("SELECT {}, count(*) FROM ").format(name) + sql.SQL(name) for name in names]
    with without_policies(connection):
        return dict(connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall())


def _compare(before: dict[str, str | None] | dict[str, int], after: dict[str, str | None] | dict[str, int]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"~ {name}: {after.get(name, 'nothing')} instead of {before.get(name, 'nothing')}"
