"""Running the statements of a step one at a time, while polling for blockers and the progress of index builds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.clock import count_ms
from tasks.runner.database.activity import REPORT_AFTER_S, Observation
from tasks.runner.database.session import Execution, roll_back
from tasks.runner.events import Event, Retried, Session, StatementFinished, StatementStarted
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step
from tasks.runner.planning.server_texts import describe_reason
from tasks.runner.retries import RETRIED_SQLSTATES, choose_pause

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

_REPORT_OFTEN_S = 10.0
_REPORT_EVERY_S = 5.0
_LATE_ANSWER_S = 0.5
"""How long to wait after a rollback for who blocked the statement."""


class StatementRun:
    """The run of statements, with what the report of a failure needs.

    `statement` is the current or the failed one, `shift` the number of characters that were sent before it in one message, and
    `blockers` are the sessions that it waited for.
    """

    def __init__(self, context: RunContext, step: Step) -> None:
        self._context = context
        self._step = step
        self._numbers = {id(statement): number for number, statement in enumerate(step.script.statements, 1)}
        self.statement: Statement | None = None
        self.shift = 0
        self.blockers: tuple[Session, ...] = ()
        self._sent_at = 0.0

    @property
    def elapsed_ms(self) -> int:
        """Return the milliseconds since the current statement was sent."""
        return count_ms(self._sent_at)

    def run(self, statement: Statement, *, begin: str = "") -> Iterator[Event]:
        """Run one statement of the file, in one round trip with the `begin` of its transaction.

        Raises psycopg.Error if the server refuses it.
        """
        version, line = self._step.version, statement.line
        number, total = self._numbers[id(statement)], len(self._numbers)
        self.statement, self.blockers = statement, ()
        yield StatementStarted(version, line, statement.label, number, total)
        start = time.monotonic()
        opening = f"{begin};\n" if begin else ""
        self.shift = len(opening)
        yield from self.run_sql(opening + statement.text, copy_data=statement.copy_data)
        self.blockers = ()
        yield StatementFinished(version, line, number, total, count_ms(start))

    def run_sql(self, text: str, *, copy_data: str | None = None) -> Iterator[Event]:
        """Run SQL for the current statement, and yield what it waits for."""
        line = self.statement.line if self.statement else 0
        watcher, lock_timeout_s = self._context.watcher, self._context.policy.lock_timeout_ms / 1000
        interval_s = _choose_interval(lock_timeout_s)
        reported_at = 0.0
        watcher.begin()
        self._sent_at = time.monotonic()
        for seconds in Execution(
            self._context.connection, text, copy_data=copy_data, stop=self._context.stop, interval_s=interval_s
        ):
            seen, period = watcher.latest, 1.0 if seconds < _REPORT_OFTEN_S else _REPORT_EVERY_S
            if seen is not None:
                self.blockers = seen.blockers
            if seconds >= REPORT_AFTER_S and seconds - reported_at >= period:
                reported_at = seconds
                yield from (seen or Observation()).describe(self._step.version, line, seconds)
            if seconds <= lock_timeout_s or seconds + interval_s - reported_at >= period:
                watcher.request()

    def retry(
        self, run_attempt: Callable[[], Iterator[Event]], *, may_repeat: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        """Retry an attempt as the policy allows; `may_repeat` returns True if nothing of it was committed."""
        return retry(self._context, run_attempt, find_run=lambda: self, may_repeat=may_repeat)

    def build_retried(self, error: psycopg.Error, attempt: int, pause: float) -> Retried:
        """Return the event for an attempt that failed at the current statement, and is repeated after a pause."""
        return Retried(
            version=self._step.version,
            line=self.statement.line if self.statement else 0,
            attempt=attempt,
            attempts=self._context.policy.attempts,
            reason=f"{RETRIED_SQLSTATES.get(error.sqlstate or '', '')}: {describe_reason(error, self.statement)}",
            pause_s=round(pause, 2),
            blockers=self.blockers,
        )


def retry(
    context: RunContext,
    run_attempt: Callable[[], Iterator[Event]],
    *,
    find_run: Callable[[], StatementRun],
    may_repeat: Callable[[], bool],
) -> Iterator[Event]:
    """Retry an attempt as the policy allows; `may_repeat` returns True if nothing of it was committed.

    `find_run` returns the run of the statement that failed.
    """
    attempt = 1
    while True:
        try:
            yield from run_attempt()
            return
        except psycopg.Error as error:
            if is_lost(context.connection) or not may_repeat():
                raise
            with suppress(psycopg.Error):
                roll_back(context.connection)
            run = find_run()
            if error.sqlstate in RETRIED_SQLSTATES and (late := context.watcher.await_answer(_LATE_ANSWER_S)):
                run.blockers = late.blockers or run.blockers
            if is_lost(context.connection) or not context.policy.may_retry(error.sqlstate, attempt):
                raise
            pause = choose_pause(attempt)
            yield run.build_retried(error, attempt, pause)
            context.stop.sleep(pause)
            attempt += 1


def _choose_interval(lock_timeout_s: float) -> float:
    """Return how often to look: often enough to see the blocker before a lock_timeout ends the wait, which 0 disables."""
    return min(1.0, max(lock_timeout_s * 0.3, 0.02)) if lock_timeout_s else 1.0
