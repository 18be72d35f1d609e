"""The run that has the lock of a database, as its log describes it: who started it, when, and where it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tasks.runner.database.lock_holder import LOCK_HOLDER, find_run_id
from tasks.runner.database.own_connection import find_schemas
from tasks.runner.database.session_settings import AT_WORK
from tasks.runner.ledger.guard import compose, compose_guard
from tasks.runner.ledger.ownership import IS_INERT, is_trusted, read_ledger_owner

if TYPE_CHECKING:
    from tasks.runner.events import ActiveRun

_TABLE = "schema_migrations_log"
_HOLDER = f"""
SELECT a.application_name,
       (SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname = '{_TABLE}' AND n.nspname = ANY (%(schemas)s::text[])
           AND coalesce({IS_INERT} AND {is_trusted("c.relowner", "%(owner)s")} AND {is_trusted("n.nspowner", "%(owner)s")}, false)
         ORDER BY array_position(%(schemas)s::text[], n.nspname::text) LIMIT 1)
  FROM {LOCK_HOLDER}
"""
"""The log counts only if it is ours: it is read while the ledger has not been examined, because another run has the lock."""
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
_NOW = f"""
SELECT a.pid, coalesce(a.usename::text, ''), a.application_name,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), w.query,
       to_char(w.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), coalesce(pg_blocking_pids(w.pid), '{{}}')
  FROM (SELECT a.* FROM {LOCK_HOLDER} LIMIT 1) a
  LEFT JOIN pg_stat_activity w ON w.datid = a.datid AND w.usesysid = a.usesysid AND w.state = 'active'
       AND w.application_name = replace(a.application_name, 'migrate-lock ', 'migrate-run ') || '{AT_WORK}'
 LIMIT 1
"""
"""The session with the lock, and what the run does in its other session: of the same role, since any role can name its so."""


_OWN_SETTINGS = re.compile(r"(?:(?:BEGIN|SET LOCAL)\b[^;']*;\s+)+")
"""What a run sends in the same message before the first statement of a transaction."""


def read_active_run(connection: psycopg.Connection) -> ActiveRun | None:
    """Return the run in progress with its current statement; as far as it is known, if its log cannot be read."""
    try:
        row = connection.execute(_NOW).fetchone()
        if row is None:
            return None
        from tasks.runner.database.activity import shorten_query
        from tasks.runner.events import ActiveRun

        pid, role, application, since, statement, statement_since, blocked_by = row
        known = find_active_run(connection) or ActiveRun(find_run_id(application), "", role, "", since or "")
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None
    shown = shorten_query(_OWN_SETTINGS.sub("", statement or ""))
    return replace(
        known, pid=pid, statement=shown, statement_since=statement_since or "" if shown else "", blocked_by=tuple(blocked_by)
    )


def find_active_run(connection: psycopg.Connection) -> ActiveRun | None:
    """Return the run that has the lock, if there is one and its log is ours and can be read."""
    values = {"schemas": find_schemas(connection), "owner": read_ledger_owner(connection)}
    try:
        holder = connection.execute(compose(connection, _HOLDER, values)).fetchone()
        run_id = find_run_id(holder[0]) if holder else ""
        if holder is None or holder[1] is None or not run_id:
            return None
        query = sql.SQL(_RUN).format(log=sql.Identifier(holder[1], _TABLE)).as_string(connection)
        guard = compose_guard(holder[1], [_TABLE], "ACCESS SHARE")
        cursor = connection.execute(compose(connection, f"{guard};\n{query}", {"id": run_id}))
        for _ in range(2):
            cursor.nextset()  # of the guard
        row = cursor.fetchone()
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None
    if row is None:
        return None
    from tasks.runner.events import ActiveRun

    return ActiveRun(*row)
