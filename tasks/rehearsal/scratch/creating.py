"""The creation of scratch databases by the administrator of the scratch server."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg import sql

_CHOOSES_STRATEGY_SINCE = 150000
_ENGLISH = re.compile(r"(?:C|POSIX|en)\b|$")


def create_database(connection: psycopg.Connection, name: str, template: str, *, strategy: LiteralString, owner: str) -> None:
    """Create a database that is closed to connections, empty or as a copy; without an owner, it is the administrator's."""
    encoding = "" if template else " ENCODING 'UTF8'"
    query = sql.SQL("CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false" + encoding + strategy)
    statement = query.format(sql.Identifier(name), sql.Identifier(template or "template0"))
    if owner:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    connection.execute(statement)


def open_database(connection: psycopg.Connection, name: str) -> None:
    """Open a database to its owner: every role may connect to a new one. Its messages are in English.

    By them it is known what a statement misses. Only a superuser may set their language:
    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LC-MESSAGES
    """
    query = "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC; ALTER DATABASE {0} ALLOW_CONNECTIONS true"
    connection.execute(sql.SQL(query).format(sql.Identifier(name)))
    row = connection.execute("SHOW lc_messages").fetchone()
    if row and not _ENGLISH.match(row[0]):
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("ALTER DATABASE {} SET lc_messages = 'C'").format(sql.Identifier(name)))


def choose_strategy(connection: psycopg.Connection) -> LiteralString:
    """Return how databases are copied: as files where no file is written to the disk for sure, which takes half the time.

    Elsewhere the two checkpoints of such a copy take longer: https://www.postgresql.org/docs/current/sql-createdatabase.html
    """
    row = connection.execute("SELECT pg_catalog.current_setting('fsync')").fetchone()
    is_fast = connection.info.server_version >= _CHOOSES_STRATEGY_SINCE and row == ("off",)
    return " STRATEGY FILE_COPY" if is_fast else ""
