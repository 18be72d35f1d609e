"""One runner at a time: a transaction-level advisory lock on a connection of its own, waited for by polling.

A waiter that blocks inside PostgreSQL would hold a snapshot, for which the holder's CREATE INDEX CONCURRENTLY waits in turn: a
deadlock. A session-level lock would stay behind on a pooled connection. This one does neither.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import math
import random
import select
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
from psycopg import pq

from tasks.runner.database.activity import SESSION_COLUMNS, build_session
from tasks.runner.database.session import connect, run_sql
from tasks.runner.errors import Interruption, LockLostError, RunInterruptedError
from tasks.runner.events import LockAwaited, Session
from tasks.runner.signals import Stop

LOCK_KEY = 0x6D69677261746564
"""The advisory lock's key: the bytes of "migrated". Advisory locks are per database, so one key serves all."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_TELL_EVERY_S = 2.0
_RELEASE_S = 1.0
"""How long the server may take to give the lock away; then it does so when it finds its client gone."""
_HEARD_S = 0.1
"""How long an answer of the session that holds the lock counts, in seconds."""
_HOLDER = f"""
SELECT {SESSION_COLUMNS} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = {LOCK_KEY >> 32} AND l.objid = {LOCK_KEY & 0xFFFFFFFF} AND l.objsubid = 1
"""


class RunLock:
    """Hold the lock for one run."""

    def __init__(self, url: str, *, run_id: str, stop: Stop) -> None:
        self._connection = connect(url, name=f"migrate-lock {run_id}")
        # A prepared statement leaves its portal open, and with it a snapshot for which every concurrent index build waits.
        self._connection.prepare_threshold = None
        self._stop = stop
        self._heard_at = -math.inf

    def acquire(self) -> Iterator[LockAwaited]:
        """Try for the lock until it is had; between tries no transaction is open. Says every two seconds who has it.

        Raises RunInterruptedError when a stop is requested.
        """
        try:
            yield from self._acquire()
        except Interruption as interruption:
            raise RunInterruptedError(
                f"stopped by {interruption.signal_name} while it waited for the lock",
                hint="Run the same command again.",
                state="Nothing was changed.",
            ) from interruption

    def _acquire(self) -> Iterator[LockAwaited]:
        start = told = time.monotonic()
        pause = _FIRST_PAUSE_S
        while not self._try():
            now = time.monotonic()
            if now - told >= _TELL_EVERY_S or now - start < pause:
                told = now
                yield LockAwaited(self._find_holder(), round(now - start, 1))
            self._stop.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def check(self) -> None:
        """Raise LockLostError if the session that holds the lock is gone.

        A server that ends a session says so, and closes the connection, before it gives the session's locks away: as long as
        nothing is there to be read, an answer of a moment ago still counts, and the question need not be asked again.
        """
        try:
            heard = select.select([self._connection.pgconn.socket], [], [], 0)[0]
            if heard or time.monotonic() - self._heard_at > _HEARD_S:
                self._connection.execute("SELECT 1")
                self._heard_at = time.monotonic()
        except psycopg.Error as error:
            raise LockLostError(
                f"the session that held the lock was ended: {str(error).strip().splitlines()[0]}",
                hint="Another run may have begun meanwhile.",
            ) from error

    def release(self) -> None:
        """Let the next runner go on, at once if the server answers: it ends a session only some time after its client left."""
        pgconn = self._connection.pgconn
        try:
            with suppress(psycopg.Error):
                if pgconn.transaction_status == pq.TransactionStatus.INTRANS:
                    pgconn.send_query(b"ROLLBACK")
                    select.select([pgconn.socket], [], [], _RELEASE_S)
        finally:
            self._connection.close()

    def _try(self) -> bool:
        run_sql(
            self._connection,
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0;"
            " SET LOCAL statement_timeout = 0",
        )
        row = self._connection.execute(f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})").fetchone()
        if row is not None and row[0]:
            return True
        run_sql(self._connection, "ROLLBACK")
        return False

    def _find_holder(self) -> Session | None:
        row = self._connection.execute(_HOLDER).fetchone()
        return build_session(row) if row else None
