"""Cached states of a schema: template databases, named by a hash of the migrations that lead to them.

A state is created under the name of a scratch database and renamed when it is complete, so a cached state is never partial.
Connections to it are not allowed, because an open session would prevent copying it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.rehearsal.model import RehearsedMigration
from tasks.runner.identity import LEDGER_FORMAT

_PREFIX = "migrate_cache_"
_FORMAT = 1
"""Increment when the same files lead to a different state."""
_MEGABYTE = 1 << 20
_CACHED = """
FROM pg_database WHERE starts_with(datname, %s)
 ORDER BY shobj_description(oid, 'pg_database') DESC NULLS LAST, datname
"""
_NAMES = f"SELECT datname::text {_CACHED}"
_SIZES = f"SELECT datname::text, pg_database_size(oid) {_CACHED}"
"""The server reads the size of each file of a database: query only where the size matters."""
_NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """The limits of the cache on a scratch server."""

    databases: int = 20
    megabytes: int = 1024


def name_states(migrations: Sequence[RehearsedMigration], version: int, without: Sequence[str]) -> list[str]:
    """Return the names of the states after each migration: a chain of hashes of the texts, the version and the exclusions."""
    chain = hashlib.sha256(repr((_FORMAT, LEDGER_FORMAT, version // 10000, sorted(without))).encode()).digest()
    names = []
    for migration in migrations:
        chain = hashlib.sha256(chain + repr((migration.name, migration.up)).encode()).digest()
        names.append(f"{_PREFIX}{chain.hex()[:32]}")
    return names


def find_longest(connection: psycopg.Connection, names: Sequence[str]) -> int:
    """Return the number of migrations of the longest cached prefix; 0 if none is cached."""
    cached = set(list_cached(connection))
    return next((count for count in range(len(names), 0, -1) if names[count - 1] in cached), 0)


def list_cached(connection: psycopg.Connection) -> list[str]:
    """Return the cached states, the most recently used first."""
    return [row[0] for row in connection.execute(_NAMES, [_PREFIX])]


def touch(connection: psycopg.Connection, name: str) -> None:
    """Record that a state was used now; of concurrent attempts, one may fail."""
    row = connection.execute(_NOW).fetchone()
    with suppress(psycopg.Error):
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(row and row[0])))


def store(connection: psycopg.Connection, draft: str, name: str) -> bool:
    """Rename a finished copy to the name of its state; return False if another process was faster."""
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(draft)))
    touch(connection, draft)
    try:
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return False
    return True


def evict(connection: psycopg.Connection, limits: CacheLimits) -> None:
    """Drop the least recently used states until the limits are met; one that is being copied is skipped."""
    size = 0
    for number, (name, database_size) in enumerate(connection.execute(_SIZES, [_PREFIX]).fetchall(), 1):
        size += database_size
        if number > limits.databases or size > limits.megabytes * _MEGABYTE:
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
