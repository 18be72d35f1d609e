"""The run that has the lock of a database, as its log describes it: who started it, when, and where it is."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from tasks.runner.database.own_connection import find_schemas
from tasks.runner.events import ActiveRun

LOCK_KEY = 0x6D69677261746564
"""The advisory lock's key: the bytes of "migrated". Advisory locks are per database, so one key serves all."""
RUN_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The pattern of a run's id, a UUID, in the name of each of its sessions."""
_NAME = re.compile(f"migrate-lock ({RUN_ID})")
LOCK_HOLDER = f"""
pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = {LOCK_KEY >> 32} AND l.objid = {LOCK_KEY & 0xFFFFFFFF} AND l.objsubid = 1
"""
"""The FROM and WHERE of a query for the session that has the lock; `a` is its row of pg_stat_activity."""

_HOLDER = f"""
SELECT a.application_name,
       (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname = 'schema_migrations_log' AND n.nspname = ANY ({{schemas}}::text[])
         ORDER BY array_position({{schemas}}::text[], n.nspname::text) LIMIT 1)
  FROM {LOCK_HOLDER}
"""
_RUN = """
SELECT run.run_id::text, run.action, run.actor, run.host,
       to_char(run.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       coalesce((SELECT CASE WHEN step.outcome IN ('started', 'resumed') THEN step.version END FROM {log} step
                  WHERE step.run_id = run.run_id AND step.version IS NOT NULL ORDER BY step.id DESC LIMIT 1), '')
  FROM {log} run
 WHERE run.version IS NULL AND run.outcome = 'started' AND run.run_id = %(id)s::uuid
   AND NOT EXISTS (SELECT FROM {log} ended WHERE ended.run_id = run.run_id AND ended.version IS NULL AND ended.id > run.id)
 ORDER BY run.id DESC LIMIT 1
"""


def find_run_id(application_name: str) -> str:
    """Return the id of the run whose lock a session with this name has; empty if that is not the name of one.

    Each role can read the names of all sessions, and can choose the names of its own.
    """
    match = _NAME.fullmatch(application_name)
    return match[1] if match else ""


def find_active_run(connection: psycopg.Connection) -> ActiveRun | None:
    """Return the run that has the lock, if there is one and its log can be read."""
    try:
        holders = sql.SQL(_HOLDER).format(schemas=sql.Literal(find_schemas(connection)))
        holder = connection.execute(holders, prepare=False).fetchone()
        run_id = find_run_id(holder[0]) if holder else ""
        if holder is None or holder[1] is None or not run_id:
            return None
        query = sql.SQL(_RUN).format(log=sql.SQL(holder[1]))
        row = connection.execute(query, {"id": run_id}, prepare=False).fetchone()
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None
    return ActiveRun(*row) if row else None
