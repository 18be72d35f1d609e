"""Cached states of a schema: template databases, found by a hash of the migrations that lead to them.

A state is created under the name of a scratch database, closed to connections from the start (an open session would prevent
copying it), and renamed when it is complete: a cached state is never partial.

Other roles of a shared server can create databases too, and the hash follows from the files. So a state counts only if the
current user owns it and its mark is there: a setting of the current user's role for this database, whose value is the hash.
Only the role itself or one that may alter it can write such a setting, not the owner of the database, so a database that was
reassigned to us (REASSIGN OWNED) has none. It belongs to the database's oid, and neither a copy nor a new database of the same
name gets it. SQL that is rehearsed as that role itself could write it, which is why a squash uses no cached state.
https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.rehearsal.model import RehearsedMigration
from tasks.runner.identity import LEDGER_FORMAT

PREFIX = "migrate_cache_"
_FORMAT = 3
"""Increment when the same files lead to a different state."""
_MEGABYTE = 1 << 20
_MARK = "application_name"
"""The parameter that is the mark: any role may set it, and a closed database has no session that it would affect."""
_OWN = f"""
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba AND r.rolname = current_user
LEFT JOIN LATERAL (
    SELECT split_part(entry, '=', 2) AS state FROM pg_db_role_setting s, unnest(s.setconfig) AS entry
     WHERE s.setdatabase = d.oid AND s.setrole = d.datdba AND NOT d.datallowconn AND starts_with(entry, '{_MARK}=')
) m ON true
WHERE d.datname ~ '^{PREFIX}[0-9a-f]{{32}}$'
"""
_STATES = f"SELECT m.state, d.datname::text, d.oid {_OWN} AND m.state IS NOT NULL"
_SIZES = f"""
SELECT d.datname::text, m.state IS NOT NULL, coalesce(pg_database_size(d.oid), 0) {_OWN}
 ORDER BY shobj_description(d.oid, 'pg_database') DESC NULLS LAST, d.datname
"""
"""The server reads the size of each file of a database: query only where the size matters."""
_NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """The limits of the cache of one role on a scratch server."""

    databases: int = 20
    megabytes: int = 1024


@dataclass(frozen=True, slots=True)
class CachedState:
    """A cached state, and the name and the oid of its database."""

    name: str
    database: str
    oid: int


def name_states(migrations: Sequence[RehearsedMigration], version: int, without: Sequence[str]) -> list[str]:
    """Return the names of the states after each migration: a chain of hashes of the texts, the version and the exclusions."""
    chain = hashlib.sha256(repr((_FORMAT, LEDGER_FORMAT, version // 10000, sorted(without))).encode()).digest()
    names = []
    for migration in migrations:
        chain = hashlib.sha256(chain + repr((migration.name, migration.up)).encode()).digest()
        names.append(f"{PREFIX}{chain.hex()[:32]}")
    return names


def find_longest(connection: psycopg.Connection, names: Sequence[str]) -> tuple[int, CachedState | None]:
    """Return the number of migrations of the longest cached prefix, and its state; 0 and None if none is cached."""
    cached = read_cached(connection)
    return next(
        ((count, cached[names[count - 1]]) for count in range(len(names), 0, -1) if names[count - 1] in cached), (0, None)
    )


def read_cached(connection: psycopg.Connection) -> dict[str, CachedState]:
    """Return the current user's cached states by name."""
    return {name: CachedState(name, database, oid) for name, database, oid in connection.execute(_STATES)}


def is_cached(connection: psycopg.Connection, state: CachedState) -> bool:
    """Return True if a state is still there, so that what was copied under the name of its database was this state.

    If it was dropped in the meantime, another role may have created a database of that name.
    """
    return read_cached(connection).get(state.name) == state


def touch(connection: psycopg.Connection, database: str) -> None:
    """Record that a state was used now; of concurrent attempts, one may fail."""
    row = connection.execute(_NOW).fetchone()
    with suppress(psycopg.Error):
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(row and row[0])))


def store(connection: psycopg.Connection, draft: str, name: str) -> bool:
    """Make a finished copy, closed to connections, the state of a name; return False if another process was faster.

    Its database gets another name if a database that is not ours has the name of the state.
    """
    touch(connection, draft)
    mark = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}")
    connection.execute(mark.format(sql.Identifier(draft), sql.Identifier(_MARK), sql.Literal(name)))
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        connection.execute(rename.format(sql.Identifier(draft), sql.Identifier(name)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        if name in read_cached(connection):
            return False
        other = f"{PREFIX}{secrets.token_hex(16)}"
        connection.execute(rename.format(sql.Identifier(draft), sql.Identifier(other)))
    return True


def evict(connection: psycopg.Connection, limits: CacheLimits) -> None:
    """Drop the current user's least recently used states until the limits are met; one that is being copied is skipped.

    A database of the current user that is named as a state and has no mark is never used, and dropped.
    """
    number = size = 0
    for database, marked, database_size in connection.execute(_SIZES).fetchall():
        number += marked
        size += database_size if marked else 0
        if not marked or number > limits.databases or size > limits.megabytes * _MEGABYTE:
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))
