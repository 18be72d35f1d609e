"""One runner at a time: a transaction-level advisory lock on a separate connection, acquired by polling.

A waiter that blocks inside PostgreSQL would have a snapshot, for which the CREATE INDEX CONCURRENTLY of the run with the lock
waits in turn: a deadlock. A session-level lock would be left behind on a pooled connection. This lock does neither.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import math
import random
import select
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq

from tasks.runner.database.activity import SESSION_COLUMNS, build_session
from tasks.runner.database.lock_holder import LOCK_HOLDER, LOCK_KEY, find_run_id
from tasks.runner.database.session import begin_own, connect, is_pooled, run_sql
from tasks.runner.errors import Interruption, LockLostError, RefusedError, RunInterruptedError
from tasks.runner.events import ActiveRun, LockAwaited, Session
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop, describe_signal

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_REPORT_EVERY_S = 2.0
_RELEASE_TIMEOUT_S = 1.0
"""How long to wait for the server to release the lock; after that, it does so when it finds that its client is gone."""
_ANSWER_VALID_S = 0.1
"""How long an answer of the session with the lock is valid."""
_HOLDER = f"""
SELECT {SESSION_COLUMNS} FROM {LOCK_HOLDER}
"""

FindRun = Callable[[psycopg.Connection], ActiveRun | None]
"""Return the run that has the lock, from its log."""


class RunLock:
    """The lock of one run, for which it waits as long as the policy allows; `find_run` reads which run has it meanwhile."""

    def __init__(self, url: str, *, run_id: str, stop: Stop, policy: RetryPolicy, find_run: FindRun) -> None:
        self._connection = connect(url, name=f"migrate-lock {run_id}")
        self._stop = stop
        self._find_run = find_run
        self._wait_s = policy.run_wait_ms / 1000
        self._answered_at = -math.inf
        self._asked_at: float | None = None
        self._ending = ""
        """What the server sent when it ended the session."""
        self._connection.add_notice_handler(self._take_notice)
        self._trip_s = 0.0
        """How long the last answer took that was waited for."""

    def acquire(self) -> Iterator[LockAwaited]:
        """Try until the lock is acquired; yield every two seconds who has it.

        Between tries no transaction is open. Raises RunInterruptedError when a stop is requested, and RefusedError if another
        session still has the lock after the time of RUN_WAIT.
        """
        try:
            yield from self._acquire()
        except Interruption as interruption:
            raise RunInterruptedError(
                f"stopped by {describe_signal(interruption.signal_name)} while waiting for the lock",
                hint="Run the same command again.",
                state="Nothing was changed.",
            ) from interruption

    def _acquire(self) -> Iterator[LockAwaited]:
        start, reported_at = time.monotonic(), -math.inf
        pause = _FIRST_PAUSE_S
        while not self._try_lock():
            now = time.monotonic()
            if now - reported_at >= _REPORT_EVERY_S:
                reported_at = now
                holder = self._find_holder()
                run = self._find_run(self._connection)
                yield LockAwaited(holder, round(now - start, 1), run, stranger=_is_stranger(holder))
            if now - start >= self._wait_s:
                raise _refuse(self._find_holder(), self._wait_s)
            self._stop.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def check(self, *, limit_s: float = math.inf) -> None:
        """Raise LockLostError if the session with the lock is gone, or does not answer within the limit.

        A server that ends a session sends a message, and closes the connection, before it releases the session's locks: as long
        as there is nothing to read, a recent answer is still valid, and no new query is needed.
        """
        try:
            self._take_answer()
            if self._ending:
                raise psycopg.OperationalError(self._ending)
            if self._is_stale:
                self._await_answer(limit_s)
            if self._is_stale or select.select([self._connection.pgconn.socket], [], [], 0)[0]:
                self._await_answer(limit_s)
                start = time.monotonic()
                run_sql(self._connection, "SELECT 1", limit_s=limit_s)
                self._answered_at = time.monotonic()
                self._trip_s = self._answered_at - start
        except psycopg.Error as error:
            raise LockLostError(
                f"the session with the lock was ended: {str(error).strip().splitlines()[0]}",
                hint="Another run may have started in the meantime.",
            ) from error

    def ask(self) -> None:
        """Ask the session with the lock for an answer, unless there is a recent one: the next `check` need not wait for it then.

        Its loss is reported by `check`.
        """
        now = time.monotonic()
        if self._asked_at is None and now - self._answered_at > _ANSWER_VALID_S / 2:
            with suppress(psycopg.Error):
                self._connection.pgconn.send_query(b"SELECT 1")
                self._connection.pgconn.flush()
                self._asked_at = now

    @property
    def _is_stale(self) -> bool:
        return time.monotonic() - self._answered_at > _ANSWER_VALID_S

    def _take_answer(self) -> None:
        """Take the answer to `ask`, if it has arrived: at the earliest, one round trip after the question."""
        pgconn = self._connection.pgconn
        if self._asked_at is None:
            return
        pgconn.flush()
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                self._answered_at = min(time.monotonic(), self._asked_at + self._trip_s)  # The last trip may have been slower.
                self._asked_at = None
                pgconn.is_busy()  # It takes a message that came with the answer.
                return
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)

    def _take_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        """Take the message of a server that ends the session, which libpq passes on as a notice after an answer."""
        if diagnostic.severity_nonlocalized in ("FATAL", "PANIC"):
            self._ending = diagnostic.message_primary or "the session was ended"

    def _await_answer(self, limit_s: float) -> None:
        """Wait for the answer to `ask`; raises psycopg.OperationalError if there is none within the limit."""
        deadline = time.monotonic() + limit_s
        while self._asked_at is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                self._connection.close()
                raise psycopg.OperationalError(f"the server did not answer within {limit_s:g} s")
            select.select([self._connection.pgconn.socket], [], [], left if left < math.inf else None)
            self._take_answer()

    @property
    def pooled(self) -> bool:
        """Return True if the session with the lock goes through a pooler."""
        return is_pooled(self._connection)

    def read_row(self, query: str) -> tuple[Any, ...] | None:
        """Return the first row of a query in the session with the lock; raises psycopg.Error, after which the lock is lost."""
        return self._connection.execute(query).fetchone()

    def release(self) -> None:
        """Release the lock, at once if the server answers; else the server does so some time after its client is gone."""
        pgconn = self._connection.pgconn
        try:
            with suppress(psycopg.Error):
                self._await_answer(_RELEASE_TIMEOUT_S)
                if pgconn.transaction_status == pq.TransactionStatus.INTRANS:
                    pgconn.send_query(b"ROLLBACK")
                    select.select([pgconn.socket], [], [], _RELEASE_TIMEOUT_S)
        finally:
            self._connection.close()

    def _try_lock(self) -> bool:
        attempt = f"SELECT pg_catalog.pg_try_advisory_xact_lock({LOCK_KEY})"
        if begin_own(self._connection, "ISOLATION LEVEL READ COMMITTED", attempt) == "t":
            self._answered_at = time.monotonic()
            return True
        run_sql(self._connection, "ROLLBACK")
        return False

    def _find_holder(self) -> Session | None:
        row = self.read_row(_HOLDER)
        return build_session(row) if row else None


def _is_stranger(holder: Session | None) -> bool:
    return holder is not None and not find_run_id(holder.application)


def _refuse(holder: Session | None, wait_s: float) -> RefusedError:
    """Return the error for a lock that another session still has."""
    stranger = _is_stranger(holder)
    session = f", pid {holder.pid} of role {holder.user or 'unknown'}" if holder else ""
    named = (
        "a session that is not a run of this tool still has the lock of runs" if stranger else "another run still has the lock"
    )
    look = "See what it does, and run the same command again when it has ended: inv db.status"
    end = f"If you may end the session: SELECT pg_terminate_backend({holder.pid});" if holder else ""
    return RefusedError(
        f"{named} after {wait_s:g} s{session}",
        hint="\n".join(filter(None, ("" if stranger else look, end, "RUN_WAIT sets how long to wait."))),
        state="Nothing was changed.",
    )
