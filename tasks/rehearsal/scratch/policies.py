"""Read and write all rows of tables whose owner is subject to their row-level security policies too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

_FORCED = """
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relforcerowsecurity
"""


@contextmanager
def without_policies(connection: psycopg.Connection) -> Iterator[None]:
    """Open a transaction in which the policies do not apply to the owner of a table; afterwards they are as before.

    A superuser is never subject to them. https://www.postgresql.org/docs/current/ddl-rowsecurity.html
    """
    with connection.transaction():
        forced = list_forced(connection)
        for table in forced:
            connection.execute(compose_force(table, "NO FORCE"))
        yield
        for table in forced:
            connection.execute(compose_force(table, "FORCE"))


def list_forced(connection: psycopg.Connection) -> list[sql.Identifier]:
    """Return the tables whose policies apply to the owner, who is in the way of none if it is a superuser."""
    if connection.info.parameter_status("is_superuser") == "on":
        return []
    return [sql.Identifier(*row) for row in connection.execute(_FORCED).fetchall()]


def compose_force(table: sql.Identifier, word: str) -> sql.Composed:
    """Return the statement that makes policies apply to the owner of a table, or with NO FORCE no longer."""
    return sql.SQL("ALTER TABLE {} " + word + " ROW LEVEL SECURITY").format(table)
