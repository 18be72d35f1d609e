"""The two sessions of a run: one has the lock while the other works. Where only one can be had, the run is refused at once.

A pool of one and a pool whose other sessions are busy look alike from outside: the second session gets no answer. A busy pool
answers when its turn comes, which takes as long as the transactions of the application. So a pooler gets a few seconds, while
nothing but the lock is taken, and the error names both causes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.runner.database.connect_failures import TOO_MANY
from tasks.runner.database.limited_session import LimitedSession, NoAnswerError
from tasks.runner.database.run_lock import RunLock
from tasks.runner.errors import ConnectError, Interruption, RefusedError, RunInterruptedError
from tasks.runner.signals import Stop, describe_signal

T = TypeVar("T")

_POOLER_LIMIT_S = 6.0
"""How long a pooler may take: PgBouncer adds the sessions of its reserve pool after reserve_pool_timeout, 5 s by default.
https://www.pgbouncer.org/config.html#reserve_pool_timeout"""
_CLOSING_LIMIT_S = 2.0
"""How long a session that was closed may still count: the server ends it some time after its client."""
_PAUSE_S = 0.1
_NEEDS = "a run needs two sessions at the same time, one for the lock and one for its work"
_LIMITS = """
SELECT r.rolname::text, d.datname::text, CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END,
       CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid),
       (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid)
  FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()
"""
"""https://www.postgresql.org/docs/current/sql-createrole.html (CONNECTION LIMIT)"""


@dataclass(frozen=True, slots=True)
class _Limit:
    """A CONNECTION LIMIT that is reached, in words, and the SQL that raises it."""

    number: int
    words: str
    raised: str


def open_first(open_session: Callable[[], T], stop: Stop) -> T:
    """Return the first session; where the number of sessions is limited, wait for the end of one that was closed just before."""
    deadline = time.monotonic() + _CLOSING_LIMIT_S
    while True:
        try:
            return open_session()
        except ConnectError as error:
            if not _is_full(error) or time.monotonic() > deadline:
                raise
        _sleep(stop)


def open_second(open_session: Callable[[], T], *, url: str, name: str, lock: RunLock, stop: Stop) -> T:
    """Return the session that works, while the other one has the lock.

    Raises RefusedError if there can be no second session, and ConnectError if it cannot be opened for another reason.
    """
    if lock.pooled:
        _check_pooler(url, name, stop)
    try:
        return open_session()
    except ConnectError as error:
        limit = _find_limit(lock)
        # A limit that is no longer reached was reached by a session that has ended since.
        if limit is None and not _is_full(error):
            raise
        if limit is not None and limit.number < 2:
            raise _refuse(limit) from error
    try:
        return open_first(open_session, stop)
    except ConnectError as error:
        if limit is None or not _is_full(error):
            raise
        raise _refuse(limit) from error


def _check_pooler(url: str, name: str, stop: Stop) -> None:
    """Raise RefusedError if the pooler provides no session; all other errors are those of the connection that follows."""
    try:
        session = LimitedSession(url, name=name, stop=stop, limit_s=_POOLER_LIMIT_S)
        try:
            session.query(["SELECT 1"])
        finally:
            session.close()
    except Interruption as interruption:
        raise _interrupt(interruption) from interruption
    except psycopg.Error as error:
        if not isinstance(error, NoAnswerError | psycopg.errors.ProtocolViolation):
            return
        raise RefusedError(
            f"{_NEEDS}, and the pooler provided no second one within {_POOLER_LIMIT_S:.0f} s",
            hint="Set DIRECT_DATABASE_URL to a URL of the server itself,\n"
            "or let the pool have at least two sessions (PgBouncer: pool_size, default_pool_size).\n"
            "If all of them were only busy, run the same command again.",
            state="Nothing was changed.",
        ) from error


def _find_limit(lock: RunLock) -> _Limit | None:
    """Return the limit of the role or database that is reached; the session with the lock can read it."""
    try:
        row = lock.read_row(_LIMITS)
    except psycopg.Error:
        return None
    if row is None:
        return None
    role, database, role_limit, database_limit, of_role, of_database = row
    if 0 <= role_limit <= of_role:
        return _Limit(role_limit, f"role {role} has CONNECTION LIMIT {role_limit}", f"ALTER ROLE {show_identifier(role)}")
    if 0 <= database_limit <= of_database:
        words = f"database {database} has CONNECTION LIMIT {database_limit}"
        return _Limit(database_limit, words, f"ALTER DATABASE {show_identifier(database)}")
    return None


def _refuse(limit: _Limit) -> RefusedError:
    reason = "" if limit.number < 2 else ", and other sessions use it up"
    return RefusedError(
        f"{_NEEDS}, and only one can be opened: {limit.words}{reason}",
        hint=f"Raise the limit; with a third session, the run also reports what a statement waits for:\n"
        f"  {limit.raised} CONNECTION LIMIT {max(limit.number, 2) + 1};",
        state="Nothing was changed.",
    )


def _is_full(error: ConnectError) -> bool:
    return error.sqlstate == TOO_MANY


def _sleep(stop: Stop) -> None:
    try:
        stop.sleep(_PAUSE_S)
    except Interruption as interruption:
        raise _interrupt(interruption) from interruption


def _interrupt(interruption: Interruption) -> RunInterruptedError:
    return RunInterruptedError(
        f"stopped by {describe_signal(interruption.signal_name)} while waiting for a session",
        hint="Run the same command again.",
        state="Nothing was changed.",
    )
