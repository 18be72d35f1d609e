"""Running statements of one step, one at a time, and looking round meanwhile: who is in the way, how far is the index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.activity import TELL_AFTER_S
from tasks.runner.database.session import Execution, roll_back
from tasks.runner.events import Event, Retried, Session, StatementFinished, StatementStarted, Waiting
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import describe_reason, is_lost
from tasks.runner.planning.plan import Step
from tasks.runner.retries import RETRIED_SQLSTATES, choose_pause

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

_TOLD_OFTEN_S = 10.0
_TOLD_EVERY_S = 5.0


class StatementRun:
    """Run statements, and remember what a failure has to tell.

    `statement` is the one under way or refused, `shift` the number of characters that were sent before it in one message, and
    `blockers` are the sessions that it was seen to wait for.
    """

    def __init__(self, context: RunContext, step: Step) -> None:
        self._s = context
        self._step = step
        self._numbers = {id(statement): number for number, statement in enumerate(step.script.statements, 1)}
        self.statement: Statement | None = None
        self.shift = 0
        self.blockers: tuple[Session, ...] = ()

    def run(self, statement: Statement, *, begin: str = "") -> Iterator[Event]:
        """Run one statement of the file, in one round trip with the `begin` of its transaction.

        Raises psycopg.Error when the server refuses it.
        """
        version, line = self._step.version, statement.line
        number, total = self._numbers[id(statement)], len(self._numbers)
        self.statement = statement
        yield StatementStarted(version, line, statement.label, number, total)
        start = time.monotonic()
        opening = f"{begin};\n" if begin else ""
        self.shift = len(opening)
        yield from self.run_sql(opening + statement.text, copy_data=statement.copy_data)
        self.blockers = ()
        yield StatementFinished(version, line, number, total, round((time.monotonic() - start) * 1000))

    def run_sql(self, text: str, *, copy_data: str | None = None) -> Iterator[Event]:
        """Run SQL on behalf of the statement under way, telling for whom it waits."""
        line = self.statement.line if self.statement else 0
        patience_s = self._s.policy.lock_timeout_ms / 1000
        pulse_s = min(1.0, patience_s * 0.6)
        told = 0.0
        for seconds in Execution(self._s.connection, text, copy_data=copy_data, stop=self._s.stop, pulse_s=pulse_s):
            if seconds < TELL_AFTER_S:
                if seconds >= patience_s * 0.5:
                    self.blockers = self._s.watcher.find_blockers() or self.blockers
            elif seconds - told >= (1.0 if seconds < _TOLD_OFTEN_S else _TOLD_EVERY_S):
                told = seconds
                for event in self._s.watcher.look(version=self._step.version, line=line, seconds=seconds):
                    if isinstance(event, Waiting):
                        self.blockers = event.blockers
                    yield event

    def retry(
        self, attempt_it: Callable[[], Iterator[Event]], *, may_repeat: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        """Do something until it goes through or the policy says no; `may_repeat` says whether nothing of it was committed."""
        attempt = 1
        while True:
            try:
                yield from attempt_it()
                return
            except psycopg.Error as error:
                if is_lost(self._s.connection) or not may_repeat():
                    raise
                with suppress(psycopg.Error):
                    roll_back(self._s.connection)
                if is_lost(self._s.connection) or not self._s.policy.may_retry(error.sqlstate, attempt):
                    raise
                pause = choose_pause(attempt)
                yield self._build_retried(error, attempt, pause)
                self._s.stop.sleep(pause)
                attempt += 1

    def _build_retried(self, error: psycopg.Error, attempt: int, pause: float) -> Retried:
        return Retried(
            version=self._step.version,
            line=self.statement.line if self.statement else 0,
            attempt=attempt,
            attempts=self._s.policy.attempts,
            reason=f"{RETRIED_SQLSTATES.get(error.sqlstate or '', '')}: {describe_reason(error)}",
            pause_s=round(pause, 2),
            blockers=self.blockers,
        )
