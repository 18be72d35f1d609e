"""Looking round while a statement runs: who blocks it, and how far an index build is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from tasks.runner.errors import RunnerError
from tasks.runner.events import IndexAdvanced, Session, Waiting
from tasks.runner.session import connect

TELL_AFTER_S = 2.0
"""How long a statement may run before its waiting is told."""

SESSION_COLUMNS = """a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       coalesce(host(a.client_addr), 'local'), coalesce(a.state, a.backend_type, ''),
       coalesce(to_char(coalesce(a.xact_start, a.query_start, a.backend_start) AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''),
       coalesce(regexp_replace(left(a.query, 200), '\\s+', ' ', 'g'), '')"""
"""What a Session is built of, for a query in which `a` is pg_stat_activity."""

_BLOCKERS = (
    f"SELECT {SESSION_COLUMNS} FROM pg_stat_activity a "
    " WHERE a.pid IN (SELECT unnest(pg_blocking_pids(w.pid)) FROM pg_stat_activity w WHERE w.application_name = %s)"
    " ORDER BY a.xact_start"
)
_PROGRESS = """
SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total
                   WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total
                   WHEN lockers_total > 0 THEN 100 * lockers_done / lockers_total ELSE -1 END
  FROM pg_stat_progress_create_index
 WHERE pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = %s)
"""
_LONG_TRANSACTIONS = f"""
SELECT {SESSION_COLUMNS} FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.application_name <> %s
   AND a.xact_start < clock_timestamp() - interval '1 second'
   AND (a.backend_xmin IS NOT NULL OR EXISTS (
        SELECT FROM pg_locks l
         WHERE l.pid = a.pid AND l.granted AND l.relation = to_regclass(%s) AND l.mode <> 'AccessShareLock'))
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid)
   AND a.query !~* '^\\s*VACUUM'
 ORDER BY a.xact_start
"""


def build_session(row: Sequence[Any]) -> Session:
    """Make a Session of a row that SESSION_COLUMNS gave."""
    return Session(*row)


class Watcher:
    """Look at the session named `watched` from a connection of its own, opened when there is first something to look at.

    It goes by the session's application_name: behind a pooler, the process that works for it changes with each transaction.
    What cannot be seen (no connection left, no privilege) is not told; the run does not depend on it.
    """

    def __init__(self, url: str, *, run_id: str, watched: str) -> None:
        self._url = url
        self._name = f"migrate-watch {run_id}"
        self._watched = watched
        self._connection: psycopg.Connection | None = None

    def find_blockers(self) -> tuple[Session, ...]:
        """List the sessions that the watched one waits for."""
        return tuple(build_session(row) for row in self._ask(_BLOCKERS, [self._watched]))

    def find_long_transactions(self, table: str) -> tuple[Session, ...]:
        """List the transactions, older than a second, for which a concurrent index build on `table` would have to wait."""
        return tuple(build_session(row) for row in self._ask(_LONG_TRANSACTIONS, [self._watched, table]))

    def look(self, *, version: str, line: int, seconds: float) -> Iterator[Waiting | IndexAdvanced]:
        """Say for whom the running statement waits, and how far its index is."""
        progress = self._ask(_PROGRESS, [self._watched])
        if progress:
            phase, percent = progress[0]
            yield IndexAdvanced(version, line, phase, int(percent))
        blockers = self.find_blockers()
        if blockers or not progress:
            yield Waiting(version, line, round(seconds, 1), blockers)

    def close(self) -> None:
        """End the watching session."""
        if self._connection is not None:
            self._connection.close()

    def _ask(self, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url, name=self._name)
            return self._connection.execute(query, values, prepare=False).fetchall()
        except (RunnerError, psycopg.Error):
            return []
