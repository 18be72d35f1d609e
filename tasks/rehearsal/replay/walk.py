"""One session on a scratch database, in which the runner's own code walks steps one by one."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from tasks.runner.database.activity import Watcher
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import connect, roll_back
from tasks.runner.errors import RunnerError
from tasks.runner.events import StatementStarted
from tasks.runner.execution.context import RunContext
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger.reading import Ledger, ensure_ledger, read_ledger
from tasks.runner.ledger.writing import Recorder
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop

TIME_OVER = "the end of its time"
"""Stands in the place of a signal's name where a time limit asks a piece to stop."""

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid = %s AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """Tell how a step failed: at which statement, whether its time was over, and whether it left nothing behind."""

    error: RunnerError
    statement: Statement | None
    late: bool
    clean: bool


class NoLock(RunLock):
    """Stand in for the lock where nobody else can be: on a database that one process has made for itself."""

    def __init__(self) -> None:
        """Open no session."""

    def check(self) -> None:
        """Find everything in order."""

    def release(self) -> None:
        """Hold nothing."""


class ScratchRun:
    """Walk steps on a database whose ledger is made when it is missing; `known` are the versions it may hold."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._identity = Identity()
        self._open()
        self.known = set(self.ledger.checksums)

    def run(self, step: Step) -> Failure | None:
        """Run a step to its end, and tell how it failed if it did."""
        number = 0
        try:
            for event in self._plan_run.walk(Plan(step.action, (step,))):
                if isinstance(event, StatementStarted):
                    number = event.number
        except RunnerError as error:
            statement = step.script.statements[number - 1] if number else None
            late = self.stop.signal_name == TIME_OVER
            return Failure(error, statement, late, clean=self._is_clean(step, statement))
        return None

    def read_done(self, step: Step) -> int:
        """Read how many segments of a step that failed stand."""
        attempt = read_ledger(self.connection).attempts.get(step.version)
        return attempt.segments_done if attempt and not step.script.single_transaction else 0

    def renew(self) -> None:
        """Open the session again if it was lost, or asked to stop."""
        if not is_lost(self.connection) and not self.stop.signal_name:
            return
        pid = self._pid
        self.close()
        self._open()
        # A statement that does not heed its cancellation would stay in the way of everything that follows.
        self.connection.execute(_END_OTHERS, [pid])

    def close(self) -> None:
        """End the session and all that belongs to it."""
        self._watcher.close()
        self.connection.close()
        self.stop.close()

    def _open(self) -> None:
        name = f"migrate-run {self._identity.run_id}"
        self.connection: psycopg.Connection = connect(self._url, name=name)
        self._pid = self.connection.pgconn.backend_pid
        self.stop = Stop()
        self._watcher = Watcher(self._url, run_id=self._identity.run_id, watched=name)
        try:
            self.ledger = self._prepare_ledger()
        except BaseException:
            self.close()
            raise
        recorder = Recorder(self.connection, self.ledger, self._identity, Revision(), prepare=True)
        context = RunContext(
            self._url, self.connection, recorder, NoLock(), self._watcher, RetryPolicy(), self.stop, pooled=False
        )
        self._plan_run = PlanRun(context)

    def _prepare_ledger(self) -> Ledger:
        ledger = read_ledger(self.connection)
        if ledger.complete:
            return ledger
        ensure_ledger(self.connection, ledger)
        return read_ledger(self.connection)

    def _is_clean(self, step: Step, statement: Statement | None) -> bool:
        """Tell whether nothing of a failed step stands: surely so only where one transaction held all of it."""
        if step.script.single_transaction:
            return True
        if is_lost(self.connection) or (statement is not None and not statement.transactional):
            return False
        roll_back(self.connection)
        return self.read_done(step) == 0
