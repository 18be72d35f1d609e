"""Who blocks whom in a database, and the end of a session that blocks others.

https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION (pg_blocking_pids)
"""

from __future__ import annotations

from typing import Any

import psycopg

from tasks.runner.database.activity import SESSION_COLUMNS, build_session
from tasks.runner.events import LockSession, PreparedTransaction

_STAMP = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_STARTED, _WAITS_SINCE, _NOW = (_STAMP.format(each) for each in ("a.backend_start", "l.waitstart", "clock_timestamp()"))
_EDGES = """
RECURSIVE edges AS MATERIALIZED (
    SELECT waiting.pid, unnest(pg_blocking_pids(waiting.pid)) AS blocker
      FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) waiting),
involved AS (
    SELECT e.pid FROM edges e JOIN pg_stat_activity a ON a.pid = e.pid WHERE a.datname = current_database()
    UNION
    SELECT e.blocker FROM edges e JOIN involved i ON i.pid = e.pid)
"""
"""Which process waits for which, starting from those of this database: what they wait for may be in another one."""
_TARGET = """
SELECT l.mode, l.waitstart,
       CASE WHEN l.locktype = 'relation' THEN coalesce(named.table, 'relation ' || l.relation)
            WHEN l.locktype IN ('tuple', 'transactionid') AND named.table IS NOT NULL THEN 'a row of ' || named.table
            WHEN l.locktype = 'transactionid' THEN 'the end of transaction ' || l.transactionid
            WHEN l.locktype = 'virtualxid' THEN 'the end of an older transaction'
            WHEN l.locktype = 'advisory' AND l.objsubid = 1
                 THEN 'advisory lock ' || ((l.classid::bigint << 32) | l.objid::bigint)
            WHEN l.locktype = 'advisory' THEN 'advisory lock ' || l.classid || ', ' || l.objid
            ELSE l.locktype || coalesce(' of ' || named.table, '') END AS target
  FROM pg_locks l
  LEFT JOIN pg_locks t ON t.pid = l.pid AND t.locktype = 'tuple' AND l.locktype = 'transactionid'
  LEFT JOIN LATERAL (
        SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS table
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = coalesce(l.relation, t.relation)
           AND coalesce(l.database, t.database) IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       ) named ON true
 WHERE l.pid = a.pid AND NOT l.granted LIMIT 1
"""
"""The lock that a session waits for. Who waits for a row waits for the transaction that locked it, with a lock on the tuple.
https://www.postgresql.org/docs/current/view-pg-locks.html"""
_SESSIONS = f"""
WITH {_EDGES}
SELECT {SESSION_COLUMNS}, {_STARTED},
       ARRAY(SELECT DISTINCT e.blocker FROM edges e WHERE e.pid = a.pid ORDER BY 1),
       coalesce(l.mode, ''), coalesce(l.target, ''), coalesce({_WAITS_SINCE}, ''),
       coalesce(a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user), false)
  FROM pg_stat_activity a LEFT JOIN LATERAL ({_TARGET}) l ON true
 WHERE a.pid IN (SELECT pid FROM involved) OR a.pid = %(pid)s
 ORDER BY a.pid
"""
_PREPARED = """
SELECT p.gid, p.owner::text, to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), array_agg(DISTINCT w.pid)
  FROM pg_prepared_xacts p
  JOIN pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' AND x.transactionid = p.transaction AND x.granted
  JOIN pg_locks h ON h.pid IS NULL AND h.virtualtransaction = x.virtualtransaction AND h.granted
  JOIN pg_locks w ON NOT w.granted AND 0 = ANY (pg_blocking_pids(w.pid))
   AND (w.locktype, w.database, w.relation, w.page, w.tuple, w.transactionid, w.classid, w.objid, w.objsubid)
       IS NOT DISTINCT FROM (h.locktype, h.database, h.relation, h.page, h.tuple, h.transactionid, h.classid, h.objid, h.objsubid)
 GROUP BY p.gid, p.owner, p.prepared ORDER BY p.prepared
"""
"""The locks of a prepared transaction have no process; one of them is on its own number.
https://www.postgresql.org/docs/current/view-pg-prepared-xacts.html"""
_END_LIMIT_S = 5
_END = f"""
SELECT pg_terminate_backend(a.pid, {_END_LIMIT_S * 1000}) FROM pg_stat_activity a
 WHERE a.pid = %(pid)s AND {_STARTED} = %(started)s AND a.pid <> pg_backend_pid()
   AND a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user)
"""
"""The server uses the number of a process again, so the session is also named by its start.
https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL"""


def read_sessions(connection: psycopg.Connection, pid: int = 0) -> tuple[LockSession, ...]:
    """Return the sessions that wait for a lock and those that block them, and the session of a process whatever it does."""
    rows = connection.execute(_SESSIONS, {"pid": pid}).fetchall()
    return tuple(_build(row) for row in rows)


def read_prepared(connection: psycopg.Connection) -> tuple[PreparedTransaction, ...]:
    """Return the prepared transactions that have a lock for which a session waits."""
    rows = connection.execute(_PREPARED).fetchall()
    return tuple(PreparedTransaction(name, owner, since, tuple(blocked)) for name, owner, since, blocked in rows)


def read_clock(connection: psycopg.Connection) -> str:
    """Return the time of the server."""
    row = connection.execute(f"SELECT {_NOW}").fetchone()
    return str(row[0]) if row else ""


def end_session(connection: psycopg.Connection, pid: int, started: str) -> bool | None:
    """End a session of the own role and wait for its end; return False if it has not ended in time, None if it is not there."""
    row = connection.execute(_END, {"pid": pid, "started": started}).fetchone()
    return None if row is None else bool(row[0])


def _build(row: tuple[Any, ...]) -> LockSession:
    *session, started, waits_for, mode, target, waits_since, own = row
    return LockSession(build_session(session), started, tuple(waits_for), mode, target, waits_since, own)
