"""One session on a scratch database, in which the runner's own code runs steps one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import psycopg

from tasks.rehearsal.replay.extension_blocks import REQUEST
from tasks.rehearsal.replay.privileges import is_without_effect
from tasks.runner.database.activity import Watcher
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import Execution, connect, roll_back
from tasks.runner.errors import RunnerError
from tasks.runner.events import StatementFinished, StatementStarted
from tasks.runner.execution.context import RunContext
from tasks.runner.execution.failure_log import FailureLog
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.execution.work_session import WorkSession
from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.writing import Recorder
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop

TIME_LIMIT = "the time limit"
"""Replaces the name of a signal when a time limit stops a migration."""

_BLOCK_S = 60
_POLICY = RetryPolicy(patience_ms=0)
"""No other session uses a scratch database: a look at its locks before each segment would only take time."""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid = %s AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed step: the error, the statement, whether it timed out, and whether it left no changes behind."""

    error: RunnerError
    statement: Statement | None
    timed_out: bool
    clean: bool


class NoopLock(RunLock):
    """A run lock that does nothing, for a database that only this process uses."""

    def __init__(self) -> None:
        """Open no session."""

    def check(self, *, limit_s: float = 0) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


class StatementObserver(Protocol):
    """What looks at the database before and after each statement of a step."""

    def before(self, run: ScratchRun, statement: Statement) -> None:
        """Look before a statement, at whose start its transaction need not have begun."""

    def after(self, run: ScratchRun, statement: Statement) -> None:
        """Look after a statement, while its transaction, if any, is open."""


class ScratchRun:
    """A session that runs steps on a scratch database, whose ledger is created if it is missing.

    `known` are the versions that may be in the ledger.
    """

    def __init__(self, url: str, observer: StatementObserver | None = None) -> None:
        self._url = url
        self.observer = observer
        self._identity = Identity()
        self._running: Statement | None = None
        self._without_effect: dict[int, tuple[Statement, str]] = {}
        self._requests: list[str] = []
        self._open()
        self.known = set(self.ledger.checksums)

    @property
    def connection(self) -> psycopg.Connection:
        """Return the connection of the session."""
        return self._session.connection

    def run(self, step: Step) -> Failure | None:
        """Run a step, and return the failure, if any."""
        self._running = None
        try:
            for event in self._plan_run.run(Plan(step.action, (step,))):
                if isinstance(event, StatementStarted):
                    self._running = step.script.statements[event.number - 1]
                    if self.observer:
                        self.observer.before(self, self._running)
                elif isinstance(event, StatementFinished) and self.observer:
                    self.observer.after(self, step.script.statements[event.number - 1])
        except RunnerError as error:
            statement = self._running
            timed_out = self.stop.signal_name == TIME_LIMIT
            return Failure(error, statement, timed_out, clean=self._is_clean(step, statement))
        finally:
            self._failures.close()
        return None

    def take_without_effect(self) -> list[tuple[Statement, str]]:
        """Return the statements that granted or revoked nothing for lack of rights, with the server's reason, and forget them."""
        taken, self._without_effect = list(self._without_effect.values()), {}
        return taken

    def read_done(self, step: Step) -> int:
        """Return how many segments of a failed step are committed."""
        attempt = read_ledger(self.connection).attempts.get(step.version)
        return attempt.segments_done if attempt and (attempt.note or not step.script.single_transaction) else 0

    def read_schema(self, settings: Iterable[Statement] = ()) -> str:
        """Return the schema in which the files' statements create objects after these settings; "" if there is none."""
        return self._execute("SELECT pg_catalog.current_schema()", settings, end="ROLLBACK") or ""

    def read_between(self, query: str) -> str | None:
        """Return the first value of a query under the settings of the file, which stay as they are, in its open transaction."""
        execution = Execution(self.connection, query)
        execution.finish()
        return execution.value

    def ask(self, block: str, settings: Iterable[Statement] = ()) -> list[str]:
        """Run a rewritten block after these settings, and return what it asks for."""
        self._requests.clear()
        self._execute(f"SET LOCAL statement_timeout = '{_BLOCK_S}s'; {block}", settings, end="COMMIT")
        return self._requests

    def _execute(self, text: str, settings: Iterable[Statement], *, end: str) -> str | None:
        try:
            for each in ("BEGIN", *(statement.text for statement in settings)):
                Execution(self.connection, each).finish()
            execution = Execution(self.connection, text)
            execution.finish()
            Execution(self.connection, end).finish()
        finally:
            roll_back(self.connection)
        return execution.value

    def reopen(self) -> None:
        """Open a new session after `close`."""
        self._open()

    def renew(self) -> None:
        """Reopen the session if it was lost or stopped."""
        if not is_lost(self.connection) and not self.stop.signal_name:
            return
        pid = self._session.pid
        self.close()
        self._open()
        # A statement that ignores its cancellation would block everything that follows.
        self.connection.execute(_END_OTHERS, [pid])

    def close(self) -> None:
        """Close the session and its watcher."""
        self._watcher.close()
        self._session.close()
        self.stop.close()

    def _open(self) -> None:
        name = f"migrate-run {self._identity.run_id}"
        self.stop = Stop()
        self._session = WorkSession(self._url, identity=self._identity, policy=_POLICY, stop=self.stop)
        self._session.add_notice_handler(self._check_notice)
        self._watcher = Watcher(self._url, run_id=self._identity.run_id, watched=name)
        try:
            self.ledger = self._prepare_ledger()
        except BaseException:
            self.close()
            raise
        recorder = Recorder(self.connection, self.ledger, self._identity, Revision(), prepare=True, reads_defaults=True)
        lock = NoopLock()
        self._failures = FailureLog(self._url, recorder, lock)
        context = RunContext(self._url, self._session, recorder, lock, self._watcher, self._failures, _POLICY, self.stop)
        self._plan_run = PlanRun(context)

    def _check_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.sqlstate == REQUEST:
            self._requests.append(diagnostic.message_primary or "")
        if is_without_effect(diagnostic.sqlstate) and self._running is not None:
            self._without_effect[id(self._running)] = self._running, diagnostic.message_primary or ""

    def _prepare_ledger(self) -> Ledger:
        ledger = read_ledger(self.connection)
        if ledger.current:
            return ledger
        return ensure_ledger(self.connection, ledger)

    def _is_clean(self, step: Step, statement: Statement | None) -> bool:
        """Return True if a failed step left no changes; False if that is not certain."""
        if step.script.single_transaction and not self._was_divided(step):
            return True
        if is_lost(self.connection) or (statement is not None and not statement.transactional):
            return False
        roll_back(self.connection)
        return self.read_done(step) == 0

    def _was_divided(self, step: Step) -> bool:
        """Return True if the server refused a statement in the step's transaction, so that it ran in several segments."""
        with connect(self._url, name=f"migrate-read {self._identity.run_id}") as connection:
            attempt = read_ledger(connection).attempts.get(step.version)
        return attempt is not None and attempt.action == step.action and bool(attempt.note)
