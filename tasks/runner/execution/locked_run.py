"""A run under the lock: from waiting for it to letting it go, with the log's words about the run as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg

from tasks.runner.database.activity import Watcher
from tasks.runner.database.dead_runs import end_orphans
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import connect, is_pooled, run_sql
from tasks.runner.errors import LockLostError, RunnerError
from tasks.runner.events import Event
from tasks.runner.execution.context import RunContext, RunSettings
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.identity import read_revision
from tasks.runner.ledger.expected_schema import Expecter
from tasks.runner.ledger.reading import Ledger, check_environment, ensure_ledger, read_ledger, remember_environment
from tasks.runner.ledger.renames import renew_renames
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.planning.plan import CHANGES_SCHEMA, Plan, replan
from tasks.runner.redaction import redact


class LockedRun:
    """Run plans while no other run can."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._url = settings.url
        self._name = f"migrate-run {settings.identity.run_id}"

    def run(self, made: Plan) -> Iterator[Event]:
        """Take the lock, run a plan and let the lock go; raises RunnerError at what stops it, after the log has it."""
        run_id, stop = self._settings.identity.run_id, self._settings.stop
        lock = RunLock(self._url, run_id=run_id, stop=stop)
        watcher = Watcher(self._url, run_id=run_id, watched=self._name)
        try:
            yield from lock.acquire()
            with connect(self._url, name=self._name) as connection:
                yield from self._run_locked(connection, made, lock, watcher)
        finally:
            watcher.close()
            lock.release()

    def _run_locked(self, connection: psycopg.Connection, made: Plan, lock: RunLock, watcher: Watcher) -> Iterator[Event]:
        settings = self._settings
        pooled = is_pooled(connection)
        if not pooled and connection.info.server_version >= 140000:
            run_sql(connection, "SET client_connection_check_interval = '5s'")
        yield from end_orphans(connection, watcher, settings.stop, own=self._name)
        ledger = self._prepare_ledger(connection)
        renames = renew_renames(made.renames, ledger)
        if renames:
            self._make_recorder(connection, ledger, pooled).record_renames(renames)
            ledger = read_ledger(connection)
        made = replan(made, ledger)
        made.raise_refusals()
        if not made.steps:
            return
        recorder = self._make_recorder(connection, ledger, pooled)
        recorder.log(Entry(made.action, "started"))
        expecter = Expecter(connection, ledger, watch=settings.watch_drift)
        if made.action in CHANGES_SCHEMA:
            expecter.begin()
        context = RunContext(self._url, connection, recorder, lock, watcher, settings.policy, settings.stop, pooled)
        try:
            yield from PlanRun(context).walk(made)
        except RunnerError as error:
            self._log_end(recorder, Entry(made.action, "failed", sqlstate=error.sqlstate, error=error.message))
            if not isinstance(error, LockLostError):
                expecter.settle()
            raise
        except (KeyboardInterrupt, GeneratorExit):
            self._log_end(recorder, Entry(made.action, "failed", error="stopped by the caller"))
            raise
        expecter.settle()
        recorder.log(Entry(made.action, "finished"))

    def _prepare_ledger(self, connection: psycopg.Connection) -> Ledger:
        """Read the ledger as it is now that nobody else writes to it, and make its tables where they are missing."""
        ledger = read_ledger(connection)
        environment = self._settings.environment
        check_environment(ledger, environment)
        if not ledger.current:
            ensure_ledger(connection, ledger)
            ledger = read_ledger(connection)
        if environment and not ledger.environment:
            remember_environment(connection, ledger, environment)
        return ledger

    def _make_recorder(self, connection: psycopg.Connection, ledger: Ledger, pooled: bool) -> Recorder:
        revision = read_revision(self._settings.migrations_dir)
        return Recorder(connection, ledger, self._settings.identity, revision, prepare=not pooled)

    def _log_end(self, recorder: Recorder, entry: Entry) -> None:
        """Log how the run ended, on a new session where the old one is gone; a server that is down keeps no log."""
        entry = replace(entry, error=redact(entry.error, self._url))
        try:
            if not recorder.connection.closed and not recorder.connection.broken:
                recorder.log(entry)
                return
            with connect(self._url, name=self._name) as connection:
                recorder.on(connection).log(entry)
        except (RunnerError, psycopg.Error):
            return
