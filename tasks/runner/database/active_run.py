"""The run that has the lock of a database, as its log describes it: who started it, when, and where it is."""

from __future__ import annotations

import psycopg
from psycopg import sql

from tasks.runner.events import ActiveRun

LOCK_KEY = 0x6D69677261746564
"""The advisory lock's key: the bytes of "migrated". Advisory locks are per database, so one key serves all."""
LOCK_HOLDER = f"""
pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = {LOCK_KEY >> 32} AND l.objid = {LOCK_KEY & 0xFFFFFFFF} AND l.objsubid = 1
"""
"""The FROM and WHERE of a query for the session that has the lock; `a` is its row of pg_stat_activity."""

_HOLDER = f"""
SELECT coalesce(substring(a.application_name FROM '^migrate-lock ([0-9a-f-]{{36}})$'), ''),
       to_regclass('schema_migrations_log')::text
  FROM {LOCK_HOLDER}
"""
_RUN = """
SELECT run.run_id::text, run.action, run.actor, run.host,
       to_char(run.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       coalesce((SELECT CASE WHEN step.outcome IN ('started', 'resumed') THEN step.version END FROM {log} step
                  WHERE step.run_id = run.run_id AND step.version IS NOT NULL ORDER BY step.id DESC LIMIT 1), '')
  FROM {log} run
 WHERE run.version IS NULL AND run.outcome = 'started' AND %(id)s IN ('', run.run_id::text)
   AND NOT EXISTS (SELECT FROM {log} ended WHERE ended.run_id = run.run_id AND ended.version IS NULL AND ended.id > run.id)
 ORDER BY run.id DESC LIMIT 1
"""
"""Without the id, because the name of another role's session cannot be read, the newest run that has not ended is meant."""


def find_active_run(connection: psycopg.Connection) -> ActiveRun | None:
    """Return the run that has the lock, if there is one and its log can be read."""
    try:
        holder = connection.execute(_HOLDER, prepare=False).fetchone()
        if holder is None or holder[1] is None:
            return None
        # to_regclass returns a name that is quoted where necessary.
        query = sql.SQL(_RUN).format(log=sql.SQL(holder[1]))
        row = connection.execute(query, {"id": holder[0]}, prepare=False).fetchone()
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None
    return ActiveRun(*row) if row else None
