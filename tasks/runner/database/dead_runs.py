"""Sessions of runs that died: the server may still execute their statements, although no client will commit.

Any role can name its session like a run. So only sessions of the own role count: they can do nothing that this role cannot do,
and ending them needs no privilege. What another role's dead run still executes is reported as a blocker, when it blocks.
https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from tasks.postgres.representable import fit_comments
from tasks.runner.database.activity import SESSION_COLUMNS, Watcher, build_session
from tasks.runner.database.lock_holder import RUN_ID
from tasks.runner.database.session import read_encoding
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.errors import Interruption, RunInterruptedError
from tasks.runner.events import Waiting
from tasks.runner.signals import Stop, describe_signal

_OWN_RUN = rf"""
a.datname = current_database() AND a.usename = session_user AND a.pid <> pg_backend_pid()
   AND a.application_name ~ '^migrate-run {RUN_ID}({AT_WORK})?$'"""
_BUILDS = "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.command LIKE '%% CONCURRENTLY')"
DEAD_SESSIONS = f"""
SELECT {SESSION_COLUMNS}, {_BUILDS}
  FROM pg_stat_activity a
 WHERE {_OWN_RUN} AND a.application_name <> %(own)s
   AND (a.application_name LIKE '%%{AT_WORK}' AND a.state <> 'idle' OR {_BUILDS})
"""
"""The sessions that `end_dead_runs` ends; `own` is the name of the session that asks.

Behind a pooler, an unrelated session can inherit the application_name of a run, but not the mark of one at work."""

_SAME_STATEMENT = f"""
SELECT {SESSION_COLUMNS}, false
  FROM pg_stat_activity a
 WHERE {_OWN_RUN} AND a.state = 'active' AND starts_with(%(text)s, a.query) AND length(a.query) >= least(length(%(text)s), 200)
"""
_REPORT_EVERY_S = 5.0


def end_dead_runs(connection: psycopg.Connection, watcher: Watcher, stop: Stop, *, own: str) -> Iterator[Waiting]:
    """End the sessions of this role's earlier runs; none of them can be alive, because the caller has the lock.

    Transactions are terminated: no client will commit them. A concurrent index build may have run for hours, so wait for it
    to finish, and yield that. Raises RunInterruptedError when a stop is requested.
    """
    try:
        yield from _end(connection, stop, DEAD_SESSIONS, {"own": own})
    except Interruption as interruption:
        raise RunInterruptedError(
            f"stopped by {describe_signal(interruption.signal_name)} while waiting for an index build of an earlier run",
            hint="Run the same command again.",
            state="Nothing was changed.",
        ) from interruption


def end_dead_statement(connection: psycopg.Connection, stop: Stop, text: str) -> Iterator[Waiting]:
    """End the sessions of dead runs that still execute this statement; behind a pooler nothing else identifies them."""
    yield from _end(connection, stop, _SAME_STATEMENT, {"text": fit_comments(text, read_encoding(connection))})


def _end(connection: psycopg.Connection, stop: Stop, query: str, values: dict[str, Any]) -> Iterator[Waiting]:
    start, reported_at = time.monotonic(), 0.0
    while rows := connection.execute(query, values, prepare=False).fetchall():
        for row in rows:
            if not row[-1]:
                connection.execute("SELECT pg_terminate_backend(%s)", [row[0]], prepare=False)
        seconds = time.monotonic() - start
        if (not reported_at and any(row[-1] for row in rows)) or seconds - reported_at >= _REPORT_EVERY_S:
            reported_at = seconds or 0.001
            yield Waiting("", 0, round(seconds, 1), tuple(build_session(row[:-1]) for row in rows))
        stop.sleep(0.1)
