"""Sessions of runs that died: the server may still work for them, though nobody is left to commit."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from tasks.runner.events import Waiting
from tasks.runner.signals import Stop
from tasks.runner.waits import SESSION_COLUMNS, Watcher, build_session

_ORPHANS = f"""
SELECT {SESSION_COLUMNS},
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.command LIKE '%% CONCURRENTLY')
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.application_name LIKE 'migrate-run %%' AND a.application_name <> %s
   AND a.state <> 'idle'
"""
_TELL_EVERY_S = 5.0


def end_orphans(connection: psycopg.Connection, watcher: Watcher, stop: Stop, *, own: str) -> Iterator[Waiting]:
    """End what runs before this one left behind; the caller holds the lock, so none of it may go on.

    Transactions are ended at once: nobody is left who would commit them. A concurrent index build is let finish, because it
    may be hours into its work, and it is told that we wait for it.
    """
    start, told = time.monotonic(), -_TELL_EVERY_S
    while rows := connection.execute(_ORPHANS, [own], prepare=False).fetchall():
        for row in rows:
            if not row[-1]:
                connection.execute("SELECT pg_terminate_backend(%s)", [row[0]], prepare=False)
        seconds = time.monotonic() - start
        if any(row[-1] for row in rows) and seconds - told >= _TELL_EVERY_S:
            told = seconds
            yield Waiting("", 0, round(seconds, 1), tuple(build_session(row[:-1]) for row in rows if row[-1]))
        stop.sleep(0.1)
