"""Roles that rehearsed migrations create: they belong to the server, so they outlive the scratch database.

They are created without attributes, passwords and members, except for the role of the rehearsal. Their comment marks them. They
are dropped when there is no scratch database and no cached state that may need them, of any role: a role that a file creates is
the same for all that rehearse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

import psycopg
from psycopg import sql

_MARK = "made by the rehearsal of a migration"
_CREATES = re.compile(r"\bcreate\s+(?:role|user|group)\b", re.IGNORECASE)
_NAMED = re.compile(r'\bcreate\s+(?:role|user(?!\s+mapping\b)|group)\s+(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))', re.IGNORECASE)
_MARKED = """
SELECT rolname::text FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription d
    ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass WHERE d.description = %s
"""
_USABLE = f"""
{_MARKED} AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)
"""

_UNUSED = f"{_MARKED} AND NOT EXISTS (SELECT FROM pg_database WHERE datname ~ '^migrate_(scratch|cache)_[0-9a-f_]+$')"


def creates_role(text: str) -> bool:
    """Return True if a text may create a role."""
    return _CREATES.search(text) is not None


def find_created(text: str) -> list[str]:
    """Return the names of the roles that a text creates, as far as they are written out."""
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in _NAMED.findall(text)]


def list_roles(connection: psycopg.Connection) -> set[str]:
    """Return the names of the server's roles."""
    return {row[0] for row in connection.execute("SELECT rolname::text FROM pg_catalog.pg_roles")}


def list_usable(connection: psycopg.Connection) -> set[str]:
    """Return the roles that rehearsals created and that have no rights: others can write a comment too."""
    return {row[0] for row in connection.execute(_USABLE, [_MARK])}


def make(connection: psycopg.Connection, names: Iterable[str], member: str) -> set[str]:
    """Create the roles that do not exist, and return those that rehearsals created; `member`, if any, may act as these.

    A role that cannot be created is not returned.
    """
    wanted = set(names)
    for name in sorted(wanted - list_roles(connection)):
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))
    made = list_usable(connection) & wanted
    for name in sorted(made if member else ()):
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(name), sql.Identifier(member)))
    return made


def mark_new(connection: psycopg.Connection, before: set[str], text: str) -> None:
    """Mark the roles that are new and whose names occur in the text that ran."""
    for name in sorted(list_roles(connection) - before):
        if name.lower() in text.lower():
            with suppress(psycopg.Error):
                connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))


def drop_marked(connection: psycopg.Connection) -> None:
    """Drop the roles that rehearsals created, unless a database may need them; one that owns objects stays."""
    for (name,) in connection.execute(_UNUSED, [_MARK]).fetchall():
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
