"""Looking in the catalog for what a statement outside a transaction left: done, not begun, or in pieces.

Facts: an interrupted CREATE INDEX CONCURRENTLY leaves an invalid index, https://www.postgresql.org/docs/current/sql-createindex.html;
REINDEX CONCURRENTLY leaves indexes named _ccnew and _ccold, https://www.postgresql.org/docs/current/sql-reindex.html;
DETACH PARTITION CONCURRENTLY leaves a pending detach to FINALIZE, https://www.postgresql.org/docs/current/sql-altertable.html.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_qualified
from tasks.runner.parsing import Target

_INDEX = """
SELECT format('%%I.%%I', n.nspname, c.relname), i.indisvalid
  FROM pg_class t JOIN pg_class c ON c.relnamespace = t.relnamespace JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indexrelid = c.oid
 WHERE t.oid = to_regclass(%(table)s) AND c.relname = %(name)s AND i.indrelid = t.oid
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
"""
"""An index that somebody is building is not in pieces: whoever needs its table's lock waits, and looks again."""

_REINDEX_PIECES = """
SELECT format('%%I.%%I', n.nspname, c.relname), false
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
"""
_PENDING_DETACH = (
    "SELECT NULL, inhdetachpending FROM pg_inherits WHERE inhparent = to_regclass(%(table)s) AND inhrelid = to_regclass(%(name)s)"
)
_EXISTS = {
    "create database": "SELECT FROM pg_database WHERE datname = %(name)s",
    "drop database": "SELECT FROM pg_database WHERE datname = %(name)s",
    "create tablespace": "SELECT FROM pg_tablespace WHERE spcname = %(name)s",
    "drop tablespace": "SELECT FROM pg_tablespace WHERE spcname = %(name)s",
    "create subscription": "SELECT FROM pg_subscription WHERE subname = %(name)s",
    "drop subscription": "SELECT FROM pg_subscription WHERE subname = %(name)s",
    "drop index": "SELECT WHERE to_regclass(%(qualified)s) IS NOT NULL",
}

WAITING_KINDS = frozenset({"create index", "drop index", "reindex", "detach partition"})
"""Statements that wait for older transactions and must not be broken off by lock_timeout, which would leave an invalid index."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Say whether a statement took effect, and what must be run to clear the pieces of an attempt that broke off."""

    done: bool = False
    pieces: tuple[str, ...] = ()
    cleanup: tuple[str, ...] = ()
    replaces: bool = False
    """Whether the clean-up completes the statement, so that it need not run again."""


def find_remains(connection: psycopg.Connection, target: Target | None) -> Leftovers:
    """Look in the catalog for what a statement left."""
    if target is None:
        return Leftovers()
    table = quote_qualified(target.table_schema, target.table)
    name = quote_qualified(target.schema, target.name)
    values = {"table": table, "name": target.name, "qualified": name}
    if target.kind == "create index":
        rows = connection.execute(_INDEX, values).fetchall()
        invalid = tuple(row[0] for row in rows if not row[1])
        return Leftovers(any(row[1] for row in rows), invalid, _drop_indexes(invalid))
    if target.kind == "reindex":
        pieces = tuple(row[0] for row in connection.execute(_REINDEX_PIECES, {}).fetchall())
        return Leftovers(False, pieces, _drop_indexes(pieces))
    if target.kind == "detach partition":
        rows = connection.execute(_PENDING_DETACH, {"table": table, "name": name}).fetchall()
        if not rows:
            return Leftovers(done=True)
        finalize = f"ALTER TABLE {table} DETACH PARTITION {name} FINALIZE"
        return Leftovers(False, (name,), (finalize,), replaces=True) if rows[0][1] else Leftovers()
    query = _EXISTS.get(target.kind)
    if query is None:
        return Leftovers()
    exists = connection.execute(sql.SQL(query), values).fetchone() is not None
    return Leftovers(done=exists == target.kind.startswith("create"))


def _drop_indexes(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in names)
