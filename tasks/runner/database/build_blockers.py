"""The sessions that a concurrent build of an index would wait for, or deadlock with."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg

from tasks.runner.database.activity import SESSION_COLUMNS, build_session
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.events import Session

_BUILDS = "EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid AND p.relid = to_regclass(%(table)s))"
_BLOCKERS = f"""
SELECT {SESSION_COLUMNS}, coalesce(a.xact_start::text, ''), {_BUILDS} AS builds
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND a.application_name NOT IN (%(own)s, %(own)s || '{AT_WORK}')
   AND ({_BUILDS}
     OR a.xact_start < clock_timestamp() - interval '1 second'
        AND (a.backend_xmin IS NOT NULL OR EXISTS (
             SELECT FROM pg_locks l
              WHERE l.pid = a.pid AND l.granted AND l.relation = to_regclass(%(table)s) AND l.mode <> 'AccessShareLock'))
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid)
        AND a.query !~* '^\\s*VACUUM')
 ORDER BY a.xact_start
"""
"""A build of another index on the same table would deadlock with ours; one on another table does not matter."""


@dataclass(frozen=True, slots=True)
class BuildBlocker:
    """A transaction that is older than a second, or a build on the same table; equal to itself at a later look."""

    pid: int
    transaction: str
    builds: bool = field(compare=False)
    session: Session = field(compare=False)


def find_build_blockers(connection: psycopg.Connection, table: str, *, own: str) -> tuple[BuildBlocker, ...]:
    """Return what a concurrent build on `table` would wait for, except the session that is named `own`."""
    rows = connection.execute(_BLOCKERS, {"table": table, "own": own}, prepare=False).fetchall()
    return tuple(BuildBlocker(row[0], row[-2], row[-1], build_session(row[:-2])) for row in rows)
