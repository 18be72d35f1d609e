"""Owners of scratch databases: processes with an open session on the scratch server.

The owner's token is part of the name of each of its databases, and the owner's session takes an advisory lock on it. The server
releases the lock when the process ends, however it ends and on whichever machine it ran; process ids would not be reliable.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

_PREFIX = "migrate_scratch"
_NAME = re.compile(rf"{_PREFIX}_\d+_([0-9a-f]{{16}})_\d+")
_SIGN = 1 << 63
# Keepalives, so that the server notices within minutes that a machine is off the network.
_SETTINGS = (
    "SET idle_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = 0;"
    " SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"
)
_ALIVE = "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"


@dataclass(frozen=True, slots=True)
class Owner:
    """The identity of a process among all that use a scratch server."""

    token: int = field(default_factory=lambda: secrets.randbits(63))
    pid: int = field(default_factory=os.getpid)

    def name_database(self, number: int) -> str:
        """Return the name of the owner's scratch database with a number."""
        return f"{_PREFIX}_{self.pid}_{self.token:016x}_{number}"

    def occupy(self, connection: psycopg.Connection) -> None:
        """Take the lock that shows, while this session is open, that the owner is alive."""
        connection.execute(_SETTINGS)
        connection.execute("SELECT pg_advisory_lock(%s)", [self.token])


def list_abandoned(connection: psycopg.Connection) -> list[str]:
    """Return the scratch databases whose owner is dead.

    The databases are read before the locks, because an owner takes its lock before it creates a database.
    """
    found = [(name, read_token(name)) for name in list_scratch(connection)]
    alive = {row[0] % _SIGN for row in connection.execute(_ALIVE)}
    return [name for name, token in found if token not in alive]


def list_scratch(connection: psycopg.Connection) -> list[str]:
    """Return the scratch databases of all owners."""
    rows = connection.execute("SELECT datname::text FROM pg_database WHERE starts_with(datname, %s)", [f"{_PREFIX}_"])
    return [row[0] for row in rows if read_token(row[0]) is not None]


def read_token(name: str) -> int | None:
    """Return the owner's token in the name of a scratch database; None for the name of any other database."""
    match = _NAME.fullmatch(name)
    return int(match[1], 16) if match else None


def sweep(connection: psycopg.Connection) -> list[str]:
    """Drop the scratch databases whose owner is dead, and return them; those that another process is dropping are skipped."""
    swept = []
    for name in list_abandoned(connection):
        with suppress(psycopg.Error):
            drop_database(connection, name)
            swept.append(name)
    return swept


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop a database with the sessions in it, if it exists."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
