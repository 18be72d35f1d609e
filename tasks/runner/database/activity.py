"""Polling of pg_stat_activity while a statement runs: who blocks it, and the progress of an index build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from tasks.runner.database.session import connect
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.errors import RunnerError
from tasks.runner.events import IndexAdvanced, Session, Waiting
from tasks.runner.redaction import redact

REPORT_AFTER_S = 2.0
"""How long a statement may run before its waiting is reported."""

SESSION_COLUMNS = """a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       coalesce(host(a.client_addr), 'local'), coalesce(a.state, a.backend_type, ''),
       coalesce(to_char(coalesce(a.xact_start, a.query_start, a.backend_start) AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''),
       coalesce(regexp_replace(left(a.query, 200), '\\s+', ' ', 'g'), '')"""
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
_PROGRESS = f"""
WITH {_WATCHED}
SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total
                   WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total
                   WHEN lockers_total > 0 THEN 100 * lockers_done / lockers_total ELSE -1 END
  FROM pg_stat_progress_create_index JOIN watched USING (pid)
"""
_LONG_TRANSACTIONS = f"""
SELECT {SESSION_COLUMNS} FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_type = 'client backend'
   AND a.application_name NOT IN (%(watched)s, %(watched)s || '{AT_WORK}')
   AND (EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.relid = to_regclass(%(table)s))
     OR a.xact_start < clock_timestamp() - interval '1 second'
        AND (a.backend_xmin IS NOT NULL OR EXISTS (
             SELECT FROM pg_locks l
              WHERE l.pid = a.pid AND l.granted AND l.relation = to_regclass(%(table)s) AND l.mode <> 'AccessShareLock'))
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid)
        AND a.query !~* '^\\s*VACUUM')
 ORDER BY a.xact_start
"""
"""A build of another index on the same table would deadlock with ours; one on another table does not matter."""


def build_session(row: Sequence[Any]) -> Session:
    """Return the Session of a row of SESSION_COLUMNS, redacted: the queries of others may contain passwords."""
    session = Session(*row)
    return replace(session, query=redact(session.query))


class Watcher:
    """A second connection that watches the session named `watched`; it is opened by the first query.

    The session is found by its application_name, because behind a pooler its backend changes with each transaction.
    What cannot be seen (no connection left, no privilege) is not reported; the run does not depend on it.
    """

    def __init__(self, url: str, *, run_id: str, watched: str) -> None:
        self._url = url
        self._name = f"migrate-watch {run_id}"
        self._watched = watched
        self._connection: psycopg.Connection | None = None

    def find_blockers(self) -> tuple[Session, ...]:
        """Return the sessions that the watched session waits for."""
        return tuple(build_session(row) for row in self._query(_BLOCKERS))

    def find_long_transactions(self, table: str) -> tuple[Session, ...]:
        """Return what a concurrent build on `table` would wait for: transactions older than a second, and other builds."""
        return tuple(build_session(row) for row in self._query(_LONG_TRANSACTIONS, table=table))

    def poll(self, *, version: str, line: int, seconds: float) -> Iterator[Waiting | IndexAdvanced]:
        """Yield the progress of the index that is built, and the sessions that the running statement waits for."""
        progress = self._query(_PROGRESS)
        if progress:
            phase, percent = progress[0]
            yield IndexAdvanced(version, line, phase, int(percent))
        blockers = self.find_blockers()
        if blockers or not progress:
            yield Waiting(version, line, round(seconds, 1), blockers)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _query(self, query: str, **values: str) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url, name=self._name)
            return self._connection.execute(query, {"watched": self._watched, **values}, prepare=False).fetchall()
        except (RunnerError, psycopg.Error):
            return []
