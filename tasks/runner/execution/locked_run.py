"""A run under the lock: from waiting for the lock to releasing it, with the log rows of the run as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg

from tasks.runner.database.activity import Watcher
from tasks.runner.database.dead_runs import DEAD_SESSIONS, end_dead_runs
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.second_session import open_first, open_second
from tasks.runner.errors import LockLostError, RunnerError
from tasks.runner.events import Event
from tasks.runner.execution.atomic_run import AtomicRun
from tasks.runner.execution.context import RunContext, RunSettings
from tasks.runner.execution.failure_log import FailureLog
from tasks.runner.execution.lock_times import LockTimes
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.execution.work_session import WorkSession
from tasks.runner.identity import read_revision
from tasks.runner.ledger.active_run import find_active_run
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.environment_label import check_environment, record_environment
from tasks.runner.ledger.expected_schema import ExpectationWriter, record_uncompared
from tasks.runner.ledger.pipelined_record import PipelinedRecorder
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.replaced import record_replacements
from tasks.runner.ledger.snapshot import read_with
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.planning.faults import find_folder_faults
from tasks.runner.planning.plan import CHANGES_SCHEMA, Plan
from tasks.runner.redaction import redact

Renew = Callable[[psycopg.Connection, Ledger], Plan]
"""Return the plan to run, given the ledger as it is under the lock."""


class LockedRun:
    """A run that excludes all other runs on the database."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._url = settings.url
        self._name = f"migrate-run {settings.identity.run_id}"

    def run(self, renew: Renew) -> Iterator[Event]:
        """Acquire the lock, make the plan, run it and release the lock.

        Raises RunnerError at the first failure, after logging it.
        """
        run_id, stop = self._settings.identity.run_id, self._settings.stop
        lock = open_first(
            lambda: RunLock(self._url, run_id=run_id, stop=stop, policy=self._settings.policy, find_run=find_active_run), stop
        )
        watcher = Watcher(self._url, run_id=run_id, watched=self._name)
        try:
            yield from lock.acquire()
            session = self._open_session(lock)
            try:
                yield from self._run_locked(session, renew, lock, watcher)
            finally:
                session.close()
        finally:
            watcher.close()
            lock.release()

    def _open_session(self, lock: RunLock) -> WorkSession:
        settings, stop = self._settings, self._settings.stop

        def open_session() -> WorkSession:
            owner = settings.ledger_owner
            return WorkSession(self._url, identity=settings.identity, policy=settings.policy, stop=stop, owner=owner)

        return open_second(open_session, url=self._url, name=self._name, lock=lock, stop=stop)

    def _run_locked(self, session: WorkSession, renew: Renew, lock: RunLock, watcher: Watcher) -> Iterator[Event]:
        settings, connection = self._settings, session.connection
        if read_with(connection, DEAD_SESSIONS, {"own": self._name}):
            # What they commit meanwhile must be read.
            connection.ahead = None
            yield from end_dead_runs(connection, watcher, settings.stop, own=self._name)
        ledger = read_ledger(connection)
        check_environment(ledger, settings.belonging)
        Plan("", (), find_folder_faults(connection, ledger, settings.migrations_dir)).raise_refusals()
        plan = renew(connection, ledger)
        plan.raise_refusals()
        ledger = self._complete_ledger(connection, ledger, plan)
        if not plan.steps and not plan.renames:
            return
        recorder = self._make_recorder(session, ledger)
        failures = FailureLog(self._url, recorder, lock)
        times, policy = LockTimes(settings.forecast), settings.policy
        context = RunContext(self._url, session, recorder, lock, watcher, failures, policy, settings.stop, times, is_set=True)
        expecter = ExpectationWriter(ledger, watch=settings.watch_drift)
        opened = expecter.compose_beginning(connection) if plan.action in CHANGES_SCHEMA else ""
        # The answer arrives together with that to the row, before the first file is begun.
        lock.ask()
        recorder.log(
            Entry(plan.action, "started"),
            files_write=any(step.script.records_itself for step in plan.steps),
            after=(opened, context.describe_session().begin_run()),
        )
        try:
            _write_history(recorder, ledger, plan)
            yield from (AtomicRun if plan.atomic else PlanRun)(context).run(plan)
        except RunnerError as error:
            text = redact(error.message, self._url)
            failures.write(Entry(plan.action, "failed", sqlstate=error.sqlstate, error=text))
            if not isinstance(error, LockLostError):
                expecter.settle(session.connection)
            raise
        except (KeyboardInterrupt, GeneratorExit):
            failures.write(Entry(plan.action, "failed", error="stopped by the caller"))
            raise
        finally:
            failures.close()
        if plan.uncompared:
            expecter.settle(session.connection)
            record_uncompared(session.connection, ledger, always=settings.watch_drift)
            recorder.log(Entry(plan.action, "finished"))
        else:
            _log_finished(recorder, plan, expecter)

    def _complete_ledger(self, connection: psycopg.Connection, ledger: Ledger, plan: Plan) -> Ledger:
        """Create the missing tables of the ledger, record the environment and replaced names, and return the ledger."""
        if not ledger.current:
            ledger = ensure_ledger(connection, ledger, self._settings.ledger_readers)
        record_environment(connection, ledger, self._settings.belonging)
        return record_replacements(connection, ledger, plan.replaced)

    def _make_recorder(self, session: WorkSession, ledger: Ledger) -> PipelinedRecorder:
        revision, reads_defaults = read_revision(self._settings.migrations_dir), session.defaults is not None
        identity, prepare, keep = self._settings.identity, not session.pooled, self._settings.keep_text
        return PipelinedRecorder(
            session.connection, ledger, identity, revision, prepare, reads_defaults=reads_defaults, keep_text=keep
        )


def _log_finished(recorder: Recorder, plan: Plan, expecter: ExpectationWriter) -> None:
    """Log the end of a run, together with the expected schema if that can be recorded: the run does not depend on it."""
    finished = Entry(plan.action, "finished")
    with suppress(psycopg.Error):
        settled = expecter.compose_settlement(recorder.connection)
        if settled:
            recorder.log(finished, after=(settled,))
            return
    recorder.log(finished)


def _write_history(recorder: Recorder, ledger: Ledger, plan: Plan) -> None:
    """Rename the rows of the ledger, and before new migrations are applied, log the rows that the log does not know."""
    if plan.renames:
        recorder.record_renames(plan.renames)
        ledger = read_ledger(recorder.connection)
    if ledger.unlogged and plan.action == "migrate" and plan.steps:
        recorder.record_found(ledger.unlogged)
