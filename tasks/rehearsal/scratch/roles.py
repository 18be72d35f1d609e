"""Roles that rehearsed migrations make: they belong to the whole server, and so outlive the scratch database.

They bear a mark in their comment, and go when neither a scratch database nor a kept state is left that may need them.
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
    """Tell whether a text may create a role."""
    return _CREATES.search(text) is not None


def list_roles(connection: psycopg.Connection) -> set[str]:
    """List the names of the server's roles."""
    return {row[0] for row in connection.execute("SELECT rolname::text FROM pg_roles")}


def list_marked(connection: psycopg.Connection) -> set[str]:
    """List the roles that rehearsals made."""
    return {row[0] for row in connection.execute(_MARKED, [_MARK])}


def mark_new(connection: psycopg.Connection, before: set[str], text: str) -> None:
    """Mark the roles that were not there before and are named in the text that ran meanwhile."""
    for name in sorted(list_roles(connection) - before):
        if name.lower() in text.lower():
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))


def drop_marked(connection: psycopg.Connection) -> None:
    """Drop the roles that rehearsals made; one that owns something stays."""
    for name in list_marked(connection):
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
