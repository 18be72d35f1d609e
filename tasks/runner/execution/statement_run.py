"""Running the statements of a step one at a time, while polling for blockers and the progress of index builds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.lock_modes import SHARE_UPDATE_EXCLUSIVE
from tasks.postgres.lock_requests import LockRequest
from tasks.runner.clock import count_ms
from tasks.runner.database.activity import REPORT_AFTER_S, Awaited, Observation
from tasks.runner.database.pipeline import Pipeline
from tasks.runner.database.session import Execution, roll_back
from tasks.runner.events import Event, Retried, Session, StatementFinished, StatementStarted
from tasks.runner.execution.hold_back import HoldBack, PatienceError
from tasks.runner.execution.lock_times import WaitClock
from tasks.runner.parsing import Statement
from tasks.runner.parsing.large.text import TextRange
from tasks.runner.parsing.requested_locks import list_requested_locks
from tasks.runner.parsing.script import find_place
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step
from tasks.runner.planning.server_texts import describe_reason
from tasks.runner.retries import LOCK_TIMED_OUT, RETRIED_SQLSTATES, choose_pause

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

_REPORT_OFTEN_S = 10.0
_REPORT_EVERY_S = 5.0
_LOOK_EVERY_S = 1.0
"""How often to look once a statement takes longer than the lock_timeout: it may wait for another lock at any time."""
_SHORTEST_LIMIT_S = 0.05
"""The lock_timeout of a statement whose transaction has no time left to wait: 0 would disable it."""
_LATE_ANSWER_S = 0.5
"""How long to wait after a rollback for who blocked the statement."""


class SharedTimeoutError(psycopg.errors.LockNotAvailable):
    """The statements of a transaction have waited for locks as long as one statement may."""


class StatementRun:
    """The run of statements, with what the report of a failure needs.

    `statement` is the current or the failed one, `shift` the number of characters that were sent before it in one message,
    `blockers` are the sessions that it waited for, and `awaited` is the lock for which they did.
    """

    def __init__(self, context: RunContext, step: Step) -> None:
        self._context = context
        self._step = step
        self._all = step.script.statements
        self.statement: Statement | None = None
        self.shift = 0
        self.blockers: tuple[Session, ...] = ()
        self.awaited: Awaited | None = None
        self._sent_at = 0.0
        self._waits = WaitClock()
        self._limit_s = self.lock_timeout_s
        self._sets_limit = step.script.sets_lock_timeout

    @property
    def step(self) -> Step:
        """Return the step whose statements run."""
        return self._step

    @property
    def lock_timeout_s(self) -> float:
        """Return how long a statement of the step waits for a lock."""
        return self._context.find_lock_timeout_ms(self._step.script) / 1000

    @property
    def elapsed_ms(self) -> int:
        """Return the milliseconds since the current statement was sent."""
        return count_ms(self._sent_at)

    def run(self, statement: Statement, *, begin: str = "") -> Iterator[Event]:
        """Run one statement of the file, in one round trip with the `begin` of its transaction.

        Raises psycopg.Error if the server refuses it.
        """
        opening = "".join(f"{text};\n" for text in (begin, self._limit_wait(statement)) if text)
        yield from self._run(statement, self._send(opening, statement))

    def _send(self, opening: str, statement: Statement) -> Iterator[Event]:
        """Run a statement after the SQL `opening`, in one message unless the statement is large."""
        content: str | TextRange = statement.content
        self.shift = len(opening) if isinstance(content, str) else 0
        if isinstance(content, str):
            content = opening + content
        elif opening:
            yield from self.run_sql(opening)
        yield from self.run_sql(content, copy_data=statement.copy_data)

    def read(self, statement: Statement, pipeline: Pipeline, *, before: int) -> Iterator[Event]:
        """Wait for a statement that was sent through a pipeline, after `before` other commands; raises psycopg.Error too."""
        self.shift, is_limited = 0, bool(self._limit_wait(statement))
        yield from self._run(statement, self._read(pipeline, before, self._limit_s if is_limited else math.inf))

    def _run(self, statement: Statement, running: Iterator[Event]) -> Iterator[Event]:
        version, line = self._step.version, statement.line
        number, total = find_place(self._all, statement) + 1, len(self._all)
        self.statement, self.blockers, self.awaited = statement, (), None
        yield StatementStarted(version, line, statement.label, number, total)
        start = time.monotonic()
        times = self._context.times
        times.begin(version, number, line)
        try:
            yield from running
        except psycopg.Error as error:
            times.end_statement(version, self._count_wait(error.sqlstate), error.sqlstate or "")
            raise
        times.end_statement(version, self._count_wait())
        self.blockers, self.awaited = (), None
        yield StatementFinished(version, line, number, total, count_ms(start))

    def _limit_wait(self, statement: Statement) -> str:
        """Return SQL that limits the wait of a statement to what earlier ones of its transaction have left of the lock_timeout.

        Their locks stall others meanwhile, so the transaction as a whole must not wait longer. A file that sets its own limits
        keeps them.
        """
        self._limit_s, spent_s = self.lock_timeout_s, self._context.times.open_wait_s
        if not spent_s or not self._limit_s or self._sets_limit or not statement.transactional:
            return ""
        self._limit_s = max(self._limit_s - spent_s, _SHORTEST_LIMIT_S)
        return f"SET LOCAL lock_timeout = {round(self._limit_s * 1000)}"

    def run_sql(self, text: str | TextRange, *, copy_data: str | TextRange | None = None) -> Iterator[Event]:
        """Run SQL for the current statement, and yield what it waits for."""
        context, interval_s = self._context, _choose_interval(self._limit_s)
        yield from self._watch(Execution(context.connection, text, copy_data=copy_data, stop=context.stop, interval_s=interval_s))

    def _read(self, pipeline: Pipeline, before: int, limit_s: float) -> Iterator[Event]:
        """Wait for the answer to the current statement, and yield what it waits for.

        It was sent when it was not known yet how much of the lock_timeout the earlier ones would leave, so the limit is ours.
        """
        stop = self._context.stop
        pipeline.finish(before, stop=stop)
        try:
            yield from self._watch(pipeline.read(stop=stop, interval_s=_choose_interval(self._limit_s)), limit_s)
        finally:
            self._sent_at = pipeline.started_at

    def _watch(self, running: Iterable[float], limit_s: float = math.inf) -> Iterator[Event]:
        """Yield what the current statement waits for; raises SharedTimeoutError if it has waited for a lock up to the limit."""
        line = self.statement.line if self.statement else 0
        watcher, lock_timeout_s = self._context.watcher, self.lock_timeout_s if limit_s < math.inf else self._limit_s
        reported_at = requested_at = 0.0
        self._waits = WaitClock()
        watcher.begin()
        self._sent_at = time.monotonic()
        for seconds in running:
            seen, period = watcher.latest, 1.0 if seconds < _REPORT_OFTEN_S else _REPORT_EVERY_S
            if seen is not None:
                self._take(seen)
                if seen.awaited is not None and self._waits.end(seen.at) >= limit_s:
                    raise SharedTimeoutError("canceling statement due to lock timeout")
            if seconds >= REPORT_AFTER_S and seconds - reported_at >= period:
                reported_at = seconds
                yield from (seen or Observation()).describe(self._step.version, line, seconds)
            if seconds <= lock_timeout_s or seconds - requested_at >= _LOOK_EVERY_S:
                requested_at = seconds
                watcher.request()

    def take_late(self, seen: Observation | None) -> None:
        """Take the answer to a look while the statement ran, which may have arrived after it failed."""
        if seen is not None and seen.blockers:
            self._take(seen)

    def _take(self, seen: Observation) -> None:
        self.blockers, self.awaited = seen.blockers, seen.awaited
        self._waits.take(seen)

    def _count_wait(self, sqlstate: str | None = None) -> float:
        """Return how long the current statement waited for locks, in seconds.

        One that timed out has waited for the lock_timeout in the end, also if no look saw that.
        """
        now, seen = time.monotonic(), self._context.watcher.latest
        if seen is not None:
            self._waits.take(seen)
        waited = self._waits.end(now)
        if sqlstate == LOCK_TIMED_OUT and not waited:
            waited = min(now - self._sent_at, self._limit_s)
        return waited

    def retry(
        self,
        run_attempt: Callable[[], Iterator[Event]],
        hold_back: HoldBack,
        *,
        may_repeat: Callable[[], bool],
        has_begun: bool = False,
    ) -> Iterator[Event]:
        """Retry an attempt to run statements; see `retry`."""
        return retry(
            self._context, hold_back, run_attempt, find_run=lambda _step: self, may_repeat=may_repeat, has_begun=has_begun
        )

    def make_hold_back(self, statements: Iterable[Statement], *, qualified: bool = False) -> HoldBack:
        """Return what makes statements of one transaction wait while others have locks that they need.

        `qualified`: what names without a schema mean is not known.
        """
        known = list_requested_locks(statements, qualified=qualified) if self._context.policy.patience_ms else ()
        requests = [((self._step, each), request) for each, request in known if _stalls_others(each, request)]
        return HoldBack(self._context, self._step, requests, self.lock_timeout_s)

    def build_retried(self, error: psycopg.Error, attempt: int, pause: float, *, holds_back: bool) -> Retried:
        """Return the event for an attempt that failed at the current statement, and is repeated after a pause."""
        return Retried(
            version=self._step.version,
            line=self.statement.line if self.statement else 0,
            attempt=attempt,
            attempts=self._context.policy.attempts,
            reason=f"{RETRIED_SQLSTATES.get(error.sqlstate or '', '')}: {describe_reason(error, self.statement)}",
            pause_s=round(pause, 2),
            blockers=self.blockers,
            holds_back=holds_back,
        )


def retry(
    context: RunContext,
    hold_back: HoldBack,
    run_attempt: Callable[[], Iterator[Event]],
    *,
    find_run: Callable[[Step | None], StatementRun],
    may_repeat: Callable[[], bool],
    has_begun: bool = False,
) -> Iterator[Event]:
    """Retry an attempt as the policy allows; `may_repeat` returns True if nothing of it was committed.

    Each attempt is held back while others have its locks, except one that `has_begun`, because it was sent to the server already.
    After one that timed out, the next one waits only for that, if it is known who blocked it, and else at least as long as the
    attempt has waited. `find_run` returns the run of the statement that failed, or of a step.
    """
    attempt = 1
    while True:
        try:
            if not has_begun:
                yield from hold_back.wait()
            has_begun = False
        except PatienceError:
            _point_to_place(hold_back, find_run)
            raise
        try:
            yield from run_attempt()
            return
        except psycopg.Error as error:
            if is_lost(context.connection) or not may_repeat():
                raise
            with suppress(psycopg.Error):
                roll_back(context.connection)
            run = find_run(None)
            context.times.end_transaction(failed=True)
            if error.sqlstate in RETRIED_SQLSTATES:
                run.take_late(context.watcher.await_answer(_LATE_ANSWER_S))
            if is_lost(context.connection) or not context.policy.may_retry(error.sqlstate, attempt):
                raise
            pause = _choose_pause(hold_back, run, error, attempt)
            yield run.build_retried(error, attempt, pause, holds_back=not pause)
            context.stop.sleep(pause)
            attempt += 1


def _stalls_others(statement: Statement, request: LockRequest) -> bool:
    """Return True if queries of others may wait while a request waits.

    SHARE UPDATE EXCLUSIVE conflicts with no query, but in a transaction, the locks of earlier statements are kept meanwhile.
    """
    return statement.transactional or request.mode != SHARE_UPDATE_EXCLUSIVE


def _choose_pause(hold_back: HoldBack, run: StatementRun, error: psycopg.Error, attempt: int) -> float:
    """Return the seconds before the next attempt: none where it is held back until those that blocked this one have ended."""
    pause = choose_pause(attempt)
    if error.sqlstate != LOCK_TIMED_OUT:
        return pause
    place = (run.step, run.statement)
    if run.statement is not None and hold_back.add(run.awaited, place):
        return 0.0
    if hold_back.suspect(place):
        run.blockers = run.blockers or hold_back.blockers
        return 0.0
    return max(pause, min(run.elapsed_ms / 1000, run.lock_timeout_s))


def _point_to_place(hold_back: HoldBack, find_run: Callable[[Step | None], StatementRun]) -> None:
    """Set the statement and the blockers for the report of an error: what needs the locks, and who has them."""
    if hold_back.place is not None:
        step, statement = hold_back.place
        run = find_run(step)
        run.statement, run.blockers = statement, hold_back.blockers


def _choose_interval(lock_timeout_s: float) -> float:
    """Return how often to look: often enough to see the blocker before a lock_timeout ends the wait, which 0 disables."""
    return min(1.0, max(lock_timeout_s * 0.3, 0.02)) if lock_timeout_s else 1.0
