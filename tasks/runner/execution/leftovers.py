"""What the catalog shows of a statement outside a transaction: done, not started, or leftovers to clean up.

Facts: an interrupted CREATE INDEX CONCURRENTLY leaves an invalid index, https://www.postgresql.org/docs/current/sql-createindex.html;
REINDEX CONCURRENTLY leaves indexes named _ccnew and _ccold, https://www.postgresql.org/docs/current/sql-reindex.html;
DETACH PARTITION CONCURRENTLY leaves a pending detach to FINALIZE, https://www.postgresql.org/docs/current/sql-altertable.html.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.tokens import tokenize
from tasks.runner.parsing import Statement, Target

_INDEX = """
SELECT format('%%I.%%I', n.nspname, c.relname), i.indisvalid
  FROM pg_class t JOIN pg_class c ON c.relnamespace = t.relnamespace JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indexrelid = c.oid
 WHERE t.oid = to_regclass(%(table)s) AND c.relname = %(name)s AND i.indrelid = t.oid AND c.relkind = 'i'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
"""
"""An index that is being built is no leftover: the run waits for the lock on its table, and then checks again.

Nor is an invalid index of a partitioned table (relkind I): it becomes valid when its partitions have theirs."""

REINDEX_LEFTOVERS = """
WITH RECURSIVE target AS (
       SELECT c.oid FROM pg_class c
        WHERE CASE WHEN %(name)s <> '' THEN c.oid = (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(%(qualified)s))
                   WHEN %(table)s <> '' THEN c.oid = to_regclass(%(table)s)
                   WHEN %(schema)s <> '' THEN c.relnamespace = to_regnamespace(%(schema)s)
                   ELSE true END),
     parts AS (
       SELECT oid FROM target UNION SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = parts.oid
        WHERE EXISTS (SELECT FROM pg_class WHERE pg_class.oid = inhparent AND relkind = 'p')),
     tables AS (
       SELECT oid FROM parts UNION SELECT reltoastrelid FROM pg_class WHERE oid IN (SELECT oid FROM parts) AND %(name)s = '')
SELECT format('%%I.%%I', n.nspname, c.relname)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE i.indrelid IN (SELECT oid FROM tables) AND c.relkind = 'i' AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
"""
"""The invalid indexes that REINDEX CONCURRENTLY left on the tables that it covers: those of an index, a table with its partitions
and TOAST tables, a schema, or the database."""
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
"""Statements that wait for older transactions and run without lock_timeout, which would leave an invalid index."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Whether a statement took effect, what an interrupted attempt left, and the commands that clean it up."""

    done: bool = False
    objects: tuple[str, ...] = ()
    cleanup: tuple[str, ...] = ()
    replaces: bool = False
    """Whether the cleanup completes the statement, so that it need not run again."""

    def without(self, others: Leftovers) -> Leftovers:
        """Return these without the objects of `others`."""
        kept = tuple(pair for pair in zip(self.objects, self.cleanup, strict=True) if pair[0] not in others.objects)
        return replace(self, objects=tuple(name for name, _ in kept), cleanup=tuple(command for _, command in kept))


def waits_without_timeout(statement: Statement) -> bool:
    """Return True if a statement must not be cancelled, and blocks no one while it waits; a plain REINDEX does block."""
    if statement.target is None or statement.target.kind not in WAITING_KINDS:
        return False
    return statement.target.kind != "reindex" or any(token.text.lower() == "concurrently" for token in tokenize(statement.text))


def find_leftovers(connection: psycopg.Connection, target: Target | None) -> Leftovers:
    """Return what the catalog shows of a statement: whether it is done, and its leftovers."""
    if target is None:
        return Leftovers()
    table = quote_qualified(target.table_schema, target.table)
    name = quote_qualified(target.schema, target.name)
    values = {"table": table or None, "name": target.name, "qualified": name or None}
    if target.kind == "create index":
        rows = connection.execute(_INDEX, values).fetchall()
        invalid = tuple(row[0] for row in rows if not row[1])
        return Leftovers(any(row[1] for row in rows), invalid, _drop_indexes(invalid))
    if target.kind == "reindex":
        schema = quote_qualified(target.schema) or None
        objects = tuple(row[0] for row in connection.execute(REINDEX_LEFTOVERS, {**values, "schema": schema}).fetchall())
        return Leftovers(False, objects, _drop_indexes(objects))
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
