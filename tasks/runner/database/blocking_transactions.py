"""The transactions that have a lock which a segment will request: who they are, and since when they are open.

They are read from pg_locks, which every role may read, and which needs no lock on the relations. A transaction is identified by
its virtual id, which the server does not use again while it runs. The age of another role's transaction is hidden without
pg_read_all_stats. https://www.postgresql.org/docs/current/view-pg-locks.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tasks.postgres.lock_modes import MODES
from tasks.postgres.lock_requests import CHILDREN, INDEXES, PARTITIONS, TABLE, LockRequest
from tasks.runner.database.activity import CONFLICTS, PREPARED_OF, SESSION_COLUMNS, Awaited, build_session, show_prepared
from tasks.runner.database.names import RELATIONS, compose_relations
from tasks.runner.database.own_connection import find_own_settings
from tasks.runner.database.session import roll_back, run_sql
from tasks.runner.events import Session

_LIMIT_MS = 4000
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
_OUTLIVES = MODES[3:]
"""The modes that a session can keep from one transaction to the next: VACUUM and CREATE INDEX CONCURRENTLY do."""
_LOOK = f"""
WITH RECURSIVE conflicts (mode, other) AS (VALUES {CONFLICTS}),
wanted AS (
    SELECT found.oid::oid AS oid, request.mode, request.reach, request.number
      FROM unnest(string_to_array(current_setting('{RELATIONS}'), ',')) WITH ORDINALITY found (oid, place)
      JOIN unnest({{modes}}::text[], {{reaches}}::text[], {{numbers}}::int[]) WITH ORDINALITY request (mode, reach, number, place)
        ON request.place = found.place
     WHERE found.oid <> '0'),
below AS (
    SELECT oid, mode, reach, number FROM wanted WHERE reach IN ('', '{CHILDREN}', '{PARTITIONS}')
    UNION
    SELECT c.oid, b.mode, b.reach, b.number
      FROM below b JOIN pg_inherits i ON i.inhparent = b.oid JOIN pg_class c ON c.oid = i.inhrelid
     WHERE b.reach = '{CHILDREN}' OR b.reach = '{PARTITIONS}' AND c.relispartition),
requests AS (
    SELECT oid, mode, number FROM below
    UNION SELECT i.indrelid, w.mode, w.number FROM wanted w JOIN pg_index i ON i.indexrelid = w.oid WHERE w.reach = '{TABLE}'
    UNION SELECT i.indexrelid, w.mode, w.number FROM wanted w JOIN pg_index i ON i.indrelid = w.oid WHERE w.reach = '{INDEXES}'
    UNION SELECT oid, mode, 0 FROM unnest({{awaited}}::oid[], {{awaited_modes}}::text[]) a (oid, mode)),
held AS (
    SELECT l.pid, l.virtualtransaction, r.oid, l.mode, r.number
      FROM requests r
      JOIN conflicts c ON c.mode = r.mode
      JOIN pg_locks l ON l.locktype = 'relation' AND l.granted AND l.relation = r.oid AND l.mode = c.other
                     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    UNION ALL
    SELECT l.pid, l.virtualtransaction, NULL, '', 0
      FROM pg_locks l
     WHERE l.granted AND l.virtualtransaction = ANY ({{seen}}::text[])
       AND (l.locktype = 'virtualxid' OR l.pid IS NULL AND l.locktype = 'transactionid')),
chosen AS (
    SELECT DISTINCT ON (virtualtransaction) * FROM held
     WHERE pid IS DISTINCT FROM pg_backend_pid()
     ORDER BY virtualtransaction, oid IS NULL, array_position({{strengths}}::text[], mode) DESC, number)
SELECT coalesce(json_agg(json_build_array(
           h.virtualtransaction, coalesce(format('%I.%I', n.nspname, r.relname), ''), h.mode, h.number,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)),
           a.pid IS NOT NULL AND a.usesysid IS NULL AND a.query !~ 'to prevent wraparound',
           coalesce(p.gid, ''), coalesce(p.owner::text, ''),
           to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
           json_build_array({SESSION_COLUMNS}))
       ORDER BY coalesce(a.xact_start, p.prepared), a.pid), '[]')
  FROM chosen h
  LEFT JOIN pg_class r ON r.oid = h.oid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = h.pid
  LEFT JOIN LATERAL ({PREPARED_OF.format("h")}) p ON true
"""
"""The locks of a prepared transaction have no process. Autovacuum has no user, and yields, except to prevent wraparound.
https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND"""


@dataclass(frozen=True, slots=True)
class BlockingTransaction:
    """A transaction that has a lock which conflicts with a request, or that has blocked one."""

    virtual_id: str
    relation: str
    """The relation that the lock is on; empty if it has no such lock any more."""
    mode: str
    number: int
    """The number of the request, from 1; 0 if the run was seen waiting for the lock."""
    age_s: float | None
    """None if it is hidden."""
    yields: bool
    """Whether it is an autovacuum that ends when another session waits for it."""
    session: Session = field(compare=False)


class SegmentRequests:
    """The locks that a segment requests: those known from its text, and those that its tries were seen waiting for."""

    def __init__(self, known: Sequence[LockRequest] = ()) -> None:
        self._known = tuple(known)
        self._awaited: dict[tuple[int, str], None] = {}
        self._seen: dict[str, int] = {}

    @property
    def have_blocked(self) -> bool:
        """Return True if a try was blocked."""
        return bool(self._seen)

    def add(self, awaited: Awaited) -> None:
        """Add what a try waited for; the transactions that blocked it count as blockers until they end."""
        if awaited.oid:
            self._awaited[awaited.oid, awaited.mode] = None
        self._seen |= {virtual_id: pid for pid, virtual_id in awaited.transactions}

    def has_blocked(self, transaction: BlockingTransaction) -> bool:
        """Return True if a try was blocked by this transaction, or by an earlier one of a session that kept its lock."""
        if transaction.virtual_id in self._seen:
            return True
        return transaction.mode in _OUTLIVES and transaction.session.pid in self._seen.values()

    def look(self, connection: psycopg.Connection, before: str = "") -> tuple[BlockingTransaction, ...]:
        """Return the transactions that have a conflicting lock, or that blocked an earlier try and are still open.

        `before` is SQL that puts the settings in force under which the names are looked up. It is one round trip, while no
        transaction is open. Raises psycopg.Error, after rolling back.
        """
        parts = (_BEGIN, before, *self._compose(connection), "COMMIT")
        try:
            answer = run_sql(connection, ";\n".join(filter(None, parts)))
        except psycopg.Error:
            roll_back(connection)
            raise
        return tuple(_build(row) for row in json.loads(answer or "[]"))

    def list_probe(self, connection: psycopg.Connection) -> tuple[str, ...]:
        """Return SQL that raises an error if `look` would find a transaction, one statement each, for a pipeline."""
        resolve, own, limit, query = self._compose(connection)
        probe = f"SELECT CAST(nullif(CAST(({query}) AS text), '[]') AS int4)"
        return (_BEGIN, resolve, *filter(None, own.split("; ")), limit, probe, "COMMIT")

    def _compose(self, connection: psycopg.Connection) -> tuple[str, str, str, str]:
        """Return the SQL that looks up the names as the file would, our own settings, a limit, and the query."""
        values = {
            "modes": [request.mode for request in self._known],
            "reaches": [request.reach for request in self._known],
            "numbers": [*range(1, len(self._known) + 1)],
            "awaited": [oid for oid, _ in self._awaited],
            "awaited_modes": [mode for _, mode in self._awaited],
            "seen": [*self._seen],
            "strengths": [*MODES],
        }
        query = sql.SQL(_LOOK).format(**{name: sql.Literal(value) for name, value in values.items()}).as_string(connection)
        resolve = compose_relations(request.relation for request in self._known)
        return resolve, find_own_settings(connection), f"SET LOCAL statement_timeout = {_LIMIT_MS}", query


def _build(row: Sequence[Any]) -> BlockingTransaction:
    virtual_id, relation, mode, number, age, yields, name, owner, since, session = row
    if name:
        shown = show_prepared(name, owner, since or "")
    elif session[0] is None:
        shown = Session(0, "", "a transaction that pg_stat_activity does not show", "", "", "", "")
    else:
        shown = build_session(session)
    return BlockingTransaction(virtual_id, relation, mode, number, age, bool(yields), shown)


def list_sessions(transactions: Iterable[BlockingTransaction]) -> tuple[Session, ...]:
    """Return the sessions of transactions."""
    return tuple(dict.fromkeys(transaction.session for transaction in transactions))
