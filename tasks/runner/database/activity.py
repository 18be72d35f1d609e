"""Observation of a running statement through pg_stat_activity: who blocks it, and the progress of an index build."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from tasks.postgres.lock_modes import MODES, conflict
from tasks.postgres.masking import mask_secrets
from tasks.runner.database.limited_session import LimitedSession
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.errors import Interruption
from tasks.runner.events import IndexAdvanced, Session, Waiting
from tasks.runner.signals import Stop

CONFLICTS = ", ".join(f"('{mode}', '{other}')" for mode in MODES for other in MODES if conflict(mode, other))
"""The pairs of modes that conflict, as rows of VALUES."""
PREPARED_OF = """
SELECT t.* FROM pg_locks x JOIN pg_prepared_xacts t ON t.transaction = x.transactionid
 WHERE {0}.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.virtualtransaction = {0}.virtualtransaction
"""
"""The prepared transaction of a lock, which has no process; one of its locks is on its own number."""
PREPARED = "prepared"
"""The state of a Session for a prepared transaction, which has no process: its pid is 0."""
REPORT_AFTER_S = 2.0
"""How long a statement may run before its waiting is reported."""

_ANSWER_LIMIT_S = 4.0
_PAUSE_S = 30.0
"""How long to look no more after a look that failed."""
_CLOSE_LIMIT_S = 1.0
_LONGEST_QUERY = 200

SESSION_COLUMNS = """a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       coalesce(host(a.client_addr), 'local'), coalesce(a.state, a.backend_type, ''),
       coalesce(to_char(coalesce(a.xact_start, a.query_start, a.backend_start) AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''),
       coalesce(a.query, '')"""
"""The columns of a Session, for a query in which `a` is pg_stat_activity."""

_WATCHED = f"""
watched AS (
    SELECT pid FROM pg_stat_activity WHERE application_name = (
        SELECT max(application_name COLLATE "C") FROM pg_stat_activity
         WHERE application_name IN (%(watched)s, %(watched)s || '{AT_WORK}')))
"""
"""The session that is at work, if there is one: behind a pooler, a backend may still have the plain name of its last client."""

_BLOCKERS = f"""
WITH {_WATCHED}
SELECT {SESSION_COLUMNS} FROM pg_stat_activity a
 WHERE a.pid IN (SELECT unnest(pg_blocking_pids(pid)) FROM watched)
 ORDER BY a.xact_start
"""
_AWAITED = f"""
WITH {_WATCHED},
conflicts (mode, other) AS (VALUES {CONFLICTS}),
waits AS (SELECT w.*, pg_blocking_pids(w.pid) AS blockers FROM pg_locks w JOIN watched USING (pid) WHERE NOT w.granted LIMIT 1),
blocking AS (
    SELECT h.pid, h.virtualtransaction, h.granted FROM waits w JOIN pg_locks h
        ON (h.locktype, h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
           IS NOT DISTINCT FROM
           (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
      JOIN conflicts c ON c.mode = w.mode AND c.other = h.mode
     WHERE h.pid IS DISTINCT FROM w.pid AND (h.granted OR h.pid = ANY (w.blockers)))
SELECT CASE WHEN w.locktype = 'relation' AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            THEN w.relation ELSE 0 END, w.mode,
       coalesce(extract(epoch FROM clock_timestamp() - w.waitstart), 0), b.pid, b.virtualtransaction, b.granted, p.gid, p.owner,
       to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM waits w LEFT JOIN blocking b ON true
  LEFT JOIN LATERAL ({PREPARED_OF.format("b")}) p ON true
"""
"""The lock that the session waits for, with each transaction that has a conflicting one, or queues for one before it."""
_PROGRESS = f"""
WITH {_WATCHED}
SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total
                   WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total
                   WHEN lockers_total > 0 THEN 100 * lockers_done / lockers_total ELSE -1 END
  FROM pg_stat_progress_create_index JOIN watched USING (pid)
"""


def build_session(row: Sequence[Any]) -> Session:
    """Return the Session of a row of SESSION_COLUMNS: its query without secrets, and then shortened to one line."""
    session = Session(*row)
    return replace(session, query=shorten_query(session.query))


def shorten_query(query: str) -> str:
    """Return a query without secrets, and then shortened to one line."""
    return " ".join(mask_secrets(query).split())[:_LONGEST_QUERY]


def show_prepared(name: str, owner: str, since: str) -> Session:
    """Return the Session for a prepared transaction."""
    return Session(0, owner, f"prepared transaction {name}", "", PREPARED, since, "")


@dataclass(frozen=True, slots=True)
class Awaited:
    """The lock that a statement was seen waiting for, and the transactions that blocked it: those that have a conflicting lock.

    Where none has one, they are those that queue before it. `oid` is 0 if the lock is not on a relation of the database.
    """

    oid: int = 0
    mode: str = ""
    seconds: float = 0.0
    """How long it had waited for this lock."""
    transactions: tuple[tuple[int, str], ...] = ()
    """The process and the virtual id of each; a prepared transaction has the process 0."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a running statement: the sessions that it waits for, and the progress of the index that it builds."""

    blockers: tuple[Session, ...] = ()
    phase: str = ""
    percent: int = -1
    awaited: Awaited | None = None
    at: float = 0.0
    """When the answer arrived, by the monotonic clock."""

    def describe(self, version: str, line: int, seconds: float) -> Iterator[Waiting | IndexAdvanced]:
        """Yield the events of a statement that has run for some seconds."""
        if self.phase:
            yield IndexAdvanced(version, line, self.phase, self.percent)
        if self.blockers or not self.phase:
            yield Waiting(version, line, round(seconds, 1), self.blockers)


class Watcher:
    """A thread with its own connection that looks, on request, at the session named `watched`.

    The run only requests a look and reads the latest answer, which takes no time: while a transaction of a file is open, nothing
    may wait for the watcher. Each of its own steps has a time limit. Where it gets no session or no answer (a pool of two, a
    connection limit), nothing is seen; it tries again later.

    The session is found by its application_name, because behind a pooler its backend changes with each transaction. What cannot
    be seen (no privilege) is not reported.
    """

    def __init__(self, url: str, *, run_id: str, watched: str) -> None:
        self._url = url
        self._name = f"migrate-watch {run_id}"
        self._watched = watched
        self._thread: threading.Thread | None = None
        self._closing: Stop | None = None
        self._requested, self._answered = threading.Event(), threading.Event()
        self._statement = 0
        self._seen: tuple[int, Observation] = (0, Observation())

    def begin(self) -> None:
        """Begin to watch another statement: what was seen of the previous one does not apply to it."""
        self._statement += 1

    def request(self) -> None:
        """Request a look at the current statement; the first request starts the thread."""
        self._answered.clear()
        if self._thread is None:
            self._closing = Stop()
            self._thread = threading.Thread(target=self._work, args=(self._closing,), name=self._name, daemon=True)
            _start_without_signals(self._thread)
        self._requested.set()

    @property
    def latest(self) -> Observation | None:
        """Return what was last seen of the current statement, or None."""
        statement, observation = self._seen
        return observation if statement == self._statement else None

    def await_answer(self, limit_s: float) -> Observation | None:
        """Wait for the answer to the last request, and return the latest; call it only when no transaction is open."""
        if self._thread is not None:
            self._answered.wait(limit_s)
        return self.latest

    def close(self) -> None:
        """End the thread and its connection."""
        if self._thread is None or self._closing is None:
            return
        self._closing.request("close")
        self._requested.set()
        self._thread.join(_CLOSE_LIMIT_S)
        if not self._thread.is_alive():
            self._closing.close()

    def _work(self, closing: Stop) -> None:
        """Answer requests until the watcher is closed; psycopg's objects stay in this thread."""
        session: LimitedSession | None = None
        pause_until = 0.0
        try:
            while True:
                self._requested.wait()
                self._requested.clear()
                closing.check()
                if time.monotonic() >= pause_until:
                    statement = self._statement
                    try:
                        session = session or LimitedSession(self._url, name=self._name, stop=closing, limit_s=_ANSWER_LIMIT_S)
                        self._seen = (statement, self._look(session))
                    except (psycopg.Error, OSError, ValueError):
                        pause_until = time.monotonic() + _PAUSE_S
                        if session:
                            session.close()
                        session = None
                self._answered.set()
        except Interruption:
            return
        finally:
            if session:
                session.close()

    def _look(self, session: LimitedSession) -> Observation:
        progress, blockers, awaited = session.query((_PROGRESS, _BLOCKERS, _AWAITED), watched=self._watched)
        phase, percent = progress[0] if progress else ("", "-1")
        sessions = [build_session((int(pid), *columns)) for pid, *columns in blockers]
        sessions += [show_prepared(*row[-3:]) for row in awaited if row[-3]]
        return Observation(tuple(sessions), phase, int(percent), _read_awaited(awaited), time.monotonic())


def _read_awaited(rows: Sequence[tuple[str, ...]]) -> Awaited | None:
    """Return what the rows of _AWAITED describe; None if the session waits for no lock."""
    if not rows:
        return None
    oid, mode, seconds = rows[0][:3]
    granted = [row for row in rows if row[5] == "t"]
    transactions = tuple(dict.fromkeys((int(row[3] or 0), row[4]) for row in granted or rows if row[4]))
    return Awaited(int(oid), mode, float(seconds), transactions)


def _start_without_signals(thread: threading.Thread) -> None:
    """Start a thread that gets no signals: one that it got would not wake the main thread, which handles it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
