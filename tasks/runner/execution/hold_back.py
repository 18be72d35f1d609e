"""Holding back a transaction while others have the locks that it needs, so that the application does not queue behind it.

A statement that waits for a lock makes all later requests of other sessions wait too. So a transaction is begun only if it is not
known that a long transaction has its locks; and after a lock timeout, it is begun again when those that blocked it have ended.
https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.lock_requests import LockRequest
from tasks.runner.clock import show_moment
from tasks.runner.database.activity import Awaited
from tasks.runner.database.blocking_transactions import BlockingTransaction, SegmentRequests, list_sessions
from tasks.runner.events import HeldBack, Session
from tasks.runner.ledger.tables import TABLE
from tasks.runner.parsing import Statement

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext
    from tasks.runner.planning.plan import Step

Place = tuple["Step", Statement | None]
"""A step, and its statement; None for the record in the ledger."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_REPORT_AFTER_S = 0.2
_FIRST_REPORTS_S = 5.0
_LATER_REPORTS_S = 30.0


class PatienceError(psycopg.errors.LockNotAvailable):
    """The transactions that block a segment have not ended in the time of LOCK_PATIENCE."""


class HoldBack:
    """The waits of one segment, or of an atomic run, for the transactions that have its locks; no lock is requested meanwhile.

    A transaction that was open for less than the lock_timeout is no reason to wait, unless it has blocked a try already.
    `place` is afterwards the statement that needs the lock, and `blockers` are the sessions.
    """

    def __init__(
        self, context: RunContext, step: Step, requests: Sequence[tuple[Place, LockRequest]], lock_timeout_s: float
    ) -> None:
        self._context = context
        self._has_statements = bool(requests)
        everything = [*requests, *(((step, None), request) for request in _list_records(context.recorder.ledger.schema))]
        self._places = [place for place, _ in everything]
        self._requests = SegmentRequests([request for _, request in everything])
        self._lock_timeout_s = lock_timeout_s
        self._patience_s = context.policy.patience_ms / 1000
        self._spent_s = 0.0
        self._first_seen: dict[str, float] = {}
        self.place: Place | None = None
        self.blockers: tuple[Session, ...] = ()

    def add(self, awaited: Awaited | None, place: Place) -> bool:
        """Take what a try waited for when it timed out; return True if the transactions that blocked it are known."""
        if awaited is None or not awaited.transactions or not self._patience_s:
            return False
        self.place = place
        self._requests.add(awaited)
        return True

    def suspect(self, place: Place) -> bool:
        """Look which transactions have locks that a statement requests, after it timed out unseen; return True if there are some.

        They count as those that blocked it.
        """
        numbers = {number for number, (_, statement) in enumerate(self._places, 1) if statement is place[1]}
        if not numbers or not self._patience_s:
            return False
        found = [each for each in self._look() if each.number in numbers]
        self.blockers = list_sessions(found)
        return self.add(Awaited(transactions=tuple((each.session.pid, each.virtual_id) for each in found)), place)

    @property
    def needs_look(self) -> bool:
        """Return True if others can have locks for which the segment is held back."""
        return bool(self._patience_s) and (self._has_statements or self._requests.have_blocked)

    def list_probe(self) -> tuple[str, ...]:
        """Return SQL that raises an error if there may be a reason to wait, one statement each; empty if there cannot be one."""
        return self._requests.list_probe(self._context.connection) if self.needs_look else ()

    def wait(self) -> Iterator[HeldBack]:
        """Wait until no long transaction has the locks; yield every few seconds who has them. No transaction is open meanwhile.

        Raises PatienceError after the time of LOCK_PATIENCE, and Interruption. A look that fails is no reason to wait.
        """
        if not self.needs_look:
            return
        start, report_at, pause = time.monotonic(), _REPORT_AFTER_S, _FIRST_PAUSE_S
        before = self._spent_s
        while found := self._find_reasons():
            now = time.monotonic()
            self._spent_s = before + now - start
            if self._spent_s >= self._patience_s:
                raise PatienceError(self._describe(found))
            if now - start >= report_at:
                report_at = now - start + (_FIRST_REPORTS_S if now - start < _LATER_REPORTS_S else _LATER_REPORTS_S)
                yield self._build_event(found)
            self._context.stop.sleep(min(pause, self._patience_s - self._spent_s))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        if self._spent_s > before:
            # Another run may have taken the lock meanwhile.
            self._context.lock.check()

    def _find_reasons(self) -> tuple[BlockingTransaction, ...]:
        """Return the transactions for which the segment is held back."""
        found, now = self._look(), time.monotonic()
        self._first_seen = {each.virtual_id: self._first_seen.get(each.virtual_id, now) for each in found}
        reasons = tuple(each for each in found if self._is_reason(each, now))
        if reasons:
            numbers = [each.number for each in reasons if each.number]
            self.place = self._places[min(numbers) - 1] if numbers else self.place
            self.blockers = list_sessions(reasons)
        return reasons

    def _look(self) -> tuple[BlockingTransaction, ...]:
        """Return the transactions that have locks of the segment, or blocked it; none if that cannot be found out."""
        connection, session = self._context.connection, self._context.session
        try:
            return self._requests.look(connection, session.connection.path if self._context.pooled else "")
        except psycopg.Error:
            # A session that is lost is reported by the next statement of the run.
            return ()

    def _is_reason(self, transaction: BlockingTransaction, now: float) -> bool:
        if self._requests.has_blocked(transaction):
            return True
        age_s = max(transaction.age_s or 0.0, now - self._first_seen[transaction.virtual_id])
        return bool(transaction.relation) and not transaction.yields and age_s > self._lock_timeout_s

    def _build_event(self, reasons: Iterable[BlockingTransaction]) -> HeldBack:
        step, statement = self.place or (None, None)
        relations = tuple(dict.fromkeys(each.relation for each in reasons if each.relation))
        version, line = step.version if step else "", statement.line if statement else 0
        return HeldBack(version, line, round(self._spent_s, 1), self._patience_s, relations, self.blockers)

    def _describe(self, reasons: Sequence[BlockingTransaction]) -> str:
        """Return the message of the error: who has which locks, and for how long the run has waited."""
        named = ", ".join(_describe_transaction(each) for each in reasons)
        verb = "has its locks" if len(reasons) == 1 else "have its locks"
        return f"it was not begun, because {named} {verb}; gave up after {self._spent_s:.0f} s (LOCK_PATIENCE)"


def _list_records(schema: str) -> list[LockRequest]:
    """Return the locks that the record of a segment requests."""
    return [LockRequest((schema, f"{TABLE}{suffix}"), "RowExclusiveLock") for suffix in ("", "_log", "_scripts")]


def _describe_transaction(transaction: BlockingTransaction) -> str:
    session = transaction.session
    who = f"pid {session.pid}" if session.pid else session.application
    since = f" in a transaction since {show_moment(session.since)}" if session.since else ""
    on = f" with {transaction.mode} on {transaction.relation}" if transaction.relation else ""
    return f"{who}{since}{on}"
