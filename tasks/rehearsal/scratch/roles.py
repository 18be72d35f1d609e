"""Roles that rehearsed migrations create: they belong to the server, so they outlive the scratch database.

Their comment marks them. They are dropped when there is no scratch database and no cached state that may need them.
"""

from __future__ import annotations

import re
from contextlib import suppress

import psycopg
from psycopg import sql

_MARK = "made by the rehearsal of a migration"
_CREATES = re.compile(r"\bcreate\s+(?:role|user|group)\b", re.IGNORECASE)
_MARKED = """
SELECT rolname::text FROM pg_roles r JOIN pg_shdescription d ON d.objoid = r.oid AND d.classoid = 'pg_authid'::regclass
 WHERE d.description = %s
"""


def creates_role(text: str) -> bool:
    """Return True if a text may create a role."""
    return _CREATES.search(text) is not None


def list_roles(connection: psycopg.Connection) -> set[str]:
    """Return the names of the server's roles."""
    return {row[0] for row in connection.execute("SELECT rolname::text FROM pg_roles")}


def list_marked(connection: psycopg.Connection) -> set[str]:
    """Return the roles that rehearsals created."""
    return {row[0] for row in connection.execute(_MARKED, [_MARK])}


def mark_new(connection: psycopg.Connection, before: set[str], text: str) -> None:
    """Mark the roles that are new and whose names occur in the text that ran."""
    for name in sorted(list_roles(connection) - before):
        if name.lower() in text.lower():
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))


def drop_marked(connection: psycopg.Connection) -> None:
    """Drop the roles that rehearsals created; one that owns objects stays."""
    for name in list_marked(connection):
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
