"""States of a schema, kept as template databases that are named by what led to them.

A state is made under a scratch name and gets its own by a rename, so that one under its own name is always whole. Nobody connects
to it, and so nothing stands in the way of copying it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tasks.runner.identity import LEDGER_FORMAT

if TYPE_CHECKING:
    from tasks.rehearsal.model import Piece

_PREFIX = "migrate_cache_"
_FORMAT = 1
"""To be raised when the same files leave another state, because pieces are run in another way."""
_MEGABYTE = 1 << 20
_KEPT = """
FROM pg_database WHERE starts_with(datname, %s)
 ORDER BY shobj_description(oid, 'pg_database') DESC NULLS LAST, datname
"""
_NAMES = f"SELECT datname::text {_KEPT}"
_SIZES = f"SELECT datname::text, pg_database_size(oid) {_KEPT}"
"""For a size, the server looks at each file of the database: to be asked only where it decides."""
_NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bound what is kept on a scratch server."""

    databases: int = 20
    megabytes: int = 1024


def name_states(pieces: Sequence[Piece], version: int, without: Sequence[str]) -> list[str]:
    """Name the states after each of the pieces: by the chain of their checksums, and by what else decides how they come out."""
    chain = hashlib.sha256(repr((_FORMAT, LEDGER_FORMAT, version // 10000, sorted(without))).encode()).digest()
    names = []
    for piece in pieces:
        chain = hashlib.sha256(chain + repr((piece.name, piece.up)).encode()).digest()
        names.append(f"{_PREFIX}{chain.hex()[:32]}")
    return names


def find_longest(connection: psycopg.Connection, names: Sequence[str]) -> int:
    """Count the pieces of the longest beginning whose state is kept; 0 if none is."""
    kept = set(list_kept(connection))
    return next((count for count in range(len(names), 0, -1) if names[count - 1] in kept), 0)


def list_kept(connection: psycopg.Connection) -> list[str]:
    """List the states that are kept, the last used first."""
    return [row[0] for row in connection.execute(_NAMES, [_PREFIX])]


def touch(connection: psycopg.Connection, name: str) -> None:
    """Note that a state was used just now; where two do it at once, one of them is enough."""
    row = connection.execute(_NOW).fetchone()
    with suppress(psycopg.Error):
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(row and row[0])))


def keep(connection: psycopg.Connection, draft: str, name: str) -> bool:
    """Give a finished copy the name of its state, and tell whether it got it: another process may have been faster."""
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(draft)))
    touch(connection, draft)
    try:
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return False
    return True


def forget_oldest(connection: psycopg.Connection, limits: CacheLimits) -> None:
    """Drop the states that were not used for longest until the limits are met; one that is being copied stays for now."""
    size = 0
    for number, (name, database_size) in enumerate(connection.execute(_SIZES, [_PREFIX]).fetchall(), 1):
        size += database_size
        if number > limits.databases or size > limits.megabytes * _MEGABYTE:
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
