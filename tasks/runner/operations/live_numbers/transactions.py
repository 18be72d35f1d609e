"""The open transactions of a database with their locks, and the replicas of its server; no text of a statement is returned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg

from tasks.postgres.quoting import quote_qualified
from tasks.runner.events.numbers import OpenTransaction, RelationLock, ReplicaNumbers

_OWN_NAME = "^migrate-(lock|run|read|watch|blockers|numbers) "
"""The application_name of the sessions of this tool."""
_TRANSACTIONS = f"""
SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, a.backend_type, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), -1)::float8, a.backend_xmin IS NOT NULL,
       coalesce(a.backend_type = 'autovacuum worker', a.usesysid IS NULL),
       coalesce(a.query LIKE 'autovacuum: %%(to prevent wraparound)', false),
       a.state IS NULL AND a.backend_type IS NULL
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
   AND (a.xact_start IS NOT NULL OR a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL
        OR a.backend_type IS NULL AND EXISTS (
               SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted))
   AND NOT (a.application_name ~ '{_OWN_NAME}'
            AND a.usesysid IS NOT DISTINCT FROM (SELECT oid FROM pg_roles WHERE rolname = session_user))
 ORDER BY a.xact_start, a.pid
"""
"""State, age and query of other roles' sessions are NULL, and their transactions are found by the lock that each has on its own
number: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW"""
_LOCKS = """
SELECT coalesce(l.pid, 0), coalesce(p.gid, ''), l.relation, n.nspname::text, c.relname::text, l.mode
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.virtualtransaction = l.virtualtransaction
   AND x.locktype = 'transactionid'
  LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
 WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND n.nspname !~ '^(pg_toast|pg_catalog$|information_schema$)'
 ORDER BY 1, 2, 4, 5, 6
"""
"""The locks of a prepared transaction have no process; one of them is on its own number."""
_PREPARED = """
SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
 WHERE database = current_database() ORDER BY prepared
"""
_REPLICAS = """
SELECT coalesce(application_name, ''), coalesce(state, ''), extract(epoch FROM replay_lag)::float8,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       replay_lsn)::bigint
  FROM pg_stat_replication ORDER BY 1, 2
"""
"""https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW"""


def read_transactions(connection: psycopg.Connection) -> tuple[tuple[OpenTransaction, ...], frozenset[int], int]:
    """Return the open transactions, the tables that an autovacuum works on, and how many sessions hide what they do."""
    locks: dict[tuple[int, str], list[RelationLock]] = defaultdict(list)
    relations: dict[int, set[int]] = defaultdict(set)
    sessions = connection.execute(_TRANSACTIONS).fetchall()
    for pid, gid, oid, schema, name, mode in connection.execute(_LOCKS).fetchall():
        locks[pid, gid].append(RelationLock(quote_qualified(schema, name), mode))
        relations[pid].add(oid)
    prepared = [
        OpenTransaction(0, owner, "", "prepared", age, snapshot=False, locks=tuple(locks[0, gid]), prepared=gid)
        for gid, owner, age in connection.execute(_PREPARED).fetchall()
    ]
    found = [_build(row, locks) for row in sessions]
    vacuumed = {oid for each in found if each.autovacuum for oid in relations[each.pid]}
    return (*found, *prepared), frozenset(vacuumed), sum(row[-1] for row in sessions)


def _build(row: Sequence[Any], locks: dict[tuple[int, str], list[RelationLock]]) -> OpenTransaction:
    pid, user, application, state, age, snapshot, autovacuum, wraparound, _ = row
    return OpenTransaction(
        pid, user, application, state, round(age, 3), snapshot,
        locks=tuple(dict.fromkeys(locks[pid, ""])), autovacuum=autovacuum, wraparound=wraparound and autovacuum,
    )  # fmt: skip


def read_replicas(connection: psycopg.Connection) -> tuple[ReplicaNumbers, ...]:
    """Return the replicas of the server; without the privilege to see them, their names and states are empty."""
    return tuple(ReplicaNumbers(*row) for row in connection.execute(_REPLICAS).fetchall())
