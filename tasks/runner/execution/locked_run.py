"""A run under the lock: from waiting for the lock to releasing it, with the log rows of the run as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from tasks.runner.database.activity import Watcher
from tasks.runner.database.dead_runs import end_dead_runs
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.second_session import open_first, open_second
from tasks.runner.errors import LockLostError, RunnerError
from tasks.runner.events import Event
from tasks.runner.execution.context import RunContext, RunSettings
from tasks.runner.execution.failure_log import FailureLog
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.execution.work_session import WorkSession
from tasks.runner.identity import read_revision
from tasks.runner.ledger.environment_label import check_environment, record_environment
from tasks.runner.ledger.expected_schema import ExpectationWriter
from tasks.runner.ledger.reading import Ledger, ensure_ledger, read_ledger
from tasks.runner.ledger.renames import filter_renames
from tasks.runner.ledger.replaced import apply_replaced, record_replacements
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.planning.faults import find_folder_faults
from tasks.runner.planning.plan import CHANGES_SCHEMA, Plan, replan
from tasks.runner.redaction import redact


class LockedRun:
    """A run that excludes all other runs on the database."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._url = settings.url
        self._name = f"migrate-run {settings.identity.run_id}"

    def run(self, plan: Plan) -> Iterator[Event]:
        """Acquire the lock, run a plan and release the lock; raises RunnerError at the first failure, after logging it."""
        run_id, stop = self._settings.identity.run_id, self._settings.stop
        lock = open_first(lambda: RunLock(self._url, run_id=run_id, stop=stop), stop)
        watcher = Watcher(self._url, run_id=run_id, watched=self._name)
        try:
            yield from lock.acquire()
            session = self._open_session(lock)
            try:
                yield from self._run_locked(session, plan, lock, watcher)
            finally:
                session.close()
        finally:
            watcher.close()
            lock.release()

    def _open_session(self, lock: RunLock) -> WorkSession:
        settings, stop = self._settings, self._settings.stop

        def open_session() -> WorkSession:
            return WorkSession(self._url, identity=settings.identity, policy=settings.policy, stop=stop)

        return open_second(open_session, url=self._url, name=self._name, lock=lock, stop=stop)

    def _run_locked(self, session: WorkSession, plan: Plan, lock: RunLock, watcher: Watcher) -> Iterator[Event]:
        settings, connection = self._settings, session.connection
        yield from end_dead_runs(connection, watcher, settings.stop, own=self._name)
        ledger = self._prepare_ledger(connection, plan)
        renames = filter_renames(plan.renames, ledger)
        if renames:
            self._make_recorder(session, ledger).record_renames(renames)
            ledger = read_ledger(connection)
        plan = replan(plan, apply_replaced(ledger, [step.version for step in plan.steps]))
        plan.raise_refusals()
        if not plan.steps:
            return
        recorder = self._make_recorder(session, ledger)
        recorder.log(Entry(plan.action, "started"))
        expecter = ExpectationWriter(ledger, watch=settings.watch_drift)
        if plan.action in CHANGES_SCHEMA:
            expecter.begin(connection)
        failures = FailureLog(self._url, recorder, lock)
        context = RunContext(self._url, session, recorder, lock, watcher, failures, settings.policy, settings.stop)
        try:
            yield from PlanRun(context).run(plan)
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
        expecter.settle(session.connection)
        recorder.log(Entry(plan.action, "finished"))

    def _prepare_ledger(self, connection: psycopg.Connection, plan: Plan) -> Ledger:
        """Read the ledger again, because no other run can write to it now, and create its missing tables."""
        ledger = read_ledger(connection)
        check_environment(ledger, self._settings.belonging)
        Plan(plan.action, (), find_folder_faults(connection, ledger, self._settings.migrations_dir)).raise_refusals()
        if not ledger.current:
            ensure_ledger(connection, ledger)
            ledger = read_ledger(connection)
        record_environment(connection, ledger, self._settings.belonging)
        return record_replacements(connection, ledger, plan.replaced)

    def _make_recorder(self, session: WorkSession, ledger: Ledger) -> Recorder:
        revision, reads_defaults = read_revision(self._settings.migrations_dir), session.defaults is not None
        identity, prepare = self._settings.identity, not session.pooled
        return Recorder(session.connection, ledger, identity, revision, prepare, reads_defaults=reads_defaults)
