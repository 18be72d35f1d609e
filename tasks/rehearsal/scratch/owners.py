"""Owners of scratch databases: processes with an open session on the scratch server.

The owner's token is part of the name of each of its databases, and of the name of its session. The server ends the session when
the process ends, however it ends and on whichever machine it ran; process ids would not be reliable.

Other roles of a shared server may name their databases and sessions like ours: only databases of the current user and of its
roles for rehearsals are ours, and only a session of a role that may act as the current user shows that an owner is alive.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from tasks.rehearsal.scratch.login import PREFIX

_PREFIX = "migrate_scratch"
_NAME = re.compile(rf"{_PREFIX}_\d+_([0-9a-f]{{16}})_\d+")
_SESSION = "migrate-scratch "
_NUMBERS = 10**18
# Keepalives, so that the server notices within minutes that a machine is off the network.
_SETTINGS = (
    "SET idle_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = 0;"
    " SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"
)
_OWN = f"""
SELECT datname::text FROM pg_database JOIN pg_roles r ON r.oid = datdba JOIN pg_roles me ON me.rolname = current_user
 WHERE starts_with(datname, %s) AND (r.oid = me.oid OR starts_with(r.rolname, '{PREFIX}' || me.oid || '_'))
"""
_ALIVE = """
SELECT application_name FROM pg_stat_activity
 WHERE starts_with(application_name, %s) AND pg_has_role(usesysid, current_user, 'MEMBER')
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """The identity of a process among all that use a scratch server."""

    token: int = field(default_factory=lambda: secrets.randbits(63))
    pid: int = field(default_factory=os.getpid)

    @property
    def session(self) -> str:
        """Return the application_name of the session that shows, while it is open, that the owner is alive."""
        return f"{_SESSION}{self.token:016x}"

    def name_database(self) -> str:
        """Return a name for a scratch database of the owner, which no other role can foresee and occupy."""
        return f"{_PREFIX}_{self.pid}_{self.token:016x}_{secrets.randbelow(_NUMBERS)}"

    def prepare(self, connection: psycopg.Connection) -> None:
        """Set what the owner's session depends on, and take the lock by which checkouts of before know that it is alive."""
        connection.execute(_SETTINGS)
        connection.execute("SELECT pg_try_advisory_lock(%s)", [self.token])


def list_abandoned(connection: psycopg.Connection) -> list[str]:
    """Return the scratch databases of the current user whose owner is dead.

    The databases are read before the sessions, because an owner opens its session before it creates a database.
    """
    found = [(row[0], read_token(row[0])) for row in connection.execute(_OWN, [f"{_PREFIX}_"])]
    alive = {row[0] for row in connection.execute(_ALIVE, [_SESSION])}
    return [name for name, token in found if token is not None and Owner(token).session not in alive]


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
    """Drop a database with the sessions in it, if it exists; a migration may have made it a template, which cannot be dropped."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    try:
        connection.execute(drop)
    except psycopg.errors.WrongObjectType:
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
        connection.execute(drop)
