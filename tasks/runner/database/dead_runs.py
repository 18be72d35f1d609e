"""Sessions of runs that died: the server may still work for them, though nobody is left to commit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from tasks.runner.database.activity import SESSION_COLUMNS, Watcher, build_session
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.errors import Interruption, RunInterruptedError
from tasks.runner.events import Waiting
from tasks.runner.signals import Stop

_BUILDS = "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.command LIKE '%% CONCURRENTLY')"
_ORPHANS = f"""
SELECT {SESSION_COLUMNS}, {_BUILDS}
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.application_name LIKE 'migrate-run %%'
   AND a.application_name <> %(own)s
   AND (a.application_name LIKE '%%{AT_WORK}' AND a.state <> 'idle' OR {_BUILDS})
"""
"""Behind a pooler, a session of an innocent client may bear the name of a run, but not that it is at work."""

_REPETITIONS = f"""
SELECT {SESSION_COLUMNS}, false
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.application_name LIKE 'migrate-run %%'
   AND a.state = 'active' AND starts_with(%(text)s, a.query) AND length(a.query) >= least(length(%(text)s), 200)
"""
_TELL_EVERY_S = 5.0


def end_orphans(connection: psycopg.Connection, watcher: Watcher, stop: Stop, *, own: str) -> Iterator[Waiting]:
    """End what runs before this one left behind; the caller holds the lock, so none of it may go on.

    Transactions are ended at once: nobody is left who would commit them. A concurrent index build is let finish, because it
    may be hours into its work, and it is told that we wait for it. Raises RunInterruptedError when a stop is requested.
    """
    try:
        yield from _end(connection, stop, _ORPHANS, {"own": own})
    except Interruption as interruption:
        raise RunInterruptedError(
            f"stopped by {interruption.signal_name} while it waited for what a run before it left",
            hint="Run the same command again.",
            state="Nothing was changed.",
        ) from interruption


def end_repetition(connection: psycopg.Connection, stop: Stop, text: str) -> Iterator[Waiting]:
    """End the sessions of dead runs in which the server still runs this statement, which behind a pooler bear no other sign."""
    yield from _end(connection, stop, _REPETITIONS, {"text": text})


def _end(connection: psycopg.Connection, stop: Stop, query: str, values: dict[str, Any]) -> Iterator[Waiting]:
    start, told = time.monotonic(), 0.0
    while rows := connection.execute(query, values, prepare=False).fetchall():
        for row in rows:
            if not row[-1]:
                connection.execute("SELECT pg_terminate_backend(%s)", [row[0]], prepare=False)
        seconds = time.monotonic() - start
        if (not told and any(row[-1] for row in rows)) or seconds - told >= _TELL_EVERY_S:
            told = seconds or 0.001
            yield Waiting("", 0, round(seconds, 1), tuple(build_session(row[:-1]) for row in rows))
        stop.sleep(0.1)
