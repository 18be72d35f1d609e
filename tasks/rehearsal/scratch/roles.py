"""Roles that rehearsed migrations create or name: they belong to the server, so they outlive the scratch database.

A role that a file names and the server lacks (GRANT … TO, OWNER TO, SET ROLE) is made as one that the file creates: the target
has it. They are created without attributes, passwords and members, except for the role of the rehearsal. Their comment marks
them. They are dropped when there is no scratch database and no cached state that may need them, of any role: a role that a file
creates is the same for all that rehearse it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

_MARK = "made by the rehearsal of a migration"
_CREATES = re.compile(r"\bcreate\s+(?:role|user|group)\b", re.IGNORECASE)
_NAMED = re.compile(r'\bcreate\s+(?:role|user(?!\s+mapping\b)|group)\s+(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))', re.IGNORECASE)
_NAMES_ONE = re.compile(r"\b(?:role|user|group|owner|owned|authorization|grant|revoke|policy)\b", re.IGNORECASE)
_SETTINGS = frozenset({"role", "session_authorization"})
_NO_ROLES = frozenset({"", "default", "none", "public"})
_MARKED = """
SELECT rolname::text FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription d
    ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass WHERE d.description = %s
"""
_USABLE = f"""
{_MARKED} AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid)
"""

_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('migrate-scratch-roles', 0))"
_LOCK_TIMEOUT = "5s"
_UNUSED = f"{_MARKED} AND NOT EXISTS (SELECT FROM pg_database WHERE datname ~ '^migrate_(scratch|cache)_[0-9a-f_]+$')"


def creates_role(text: str) -> bool:
    """Return True if a text may create a role."""
    return _CREATES.search(text) is not None


def find_created(text: str) -> list[str]:
    """Return the names of the roles that a text creates, as far as they are written out."""
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in _NAMED.findall(text)]


def find_named(text: str) -> list[str]:
    """Return the names of the roles that one or more statements name: in grants, as owners, in policies, in SET ROLE.

    PUBLIC, CURRENT_USER and the like are no names, and the texts of blocks and functions are not read.
    """
    from pglast.parser import ParseError, parse_sql_json

    if not _NAMES_ONE.search(text):
        return []
    try:
        tree = json.loads(parse_sql_json(text))
    except ParseError:
        return []
    return list(dict.fromkeys(name for name in _walk(tree) if name not in _NO_ROLES))


def _walk(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _walk(each)
    if not isinstance(node, dict):
        return
    if node.get("roletype") == "ROLESPEC_CSTRING":
        yield node["rolename"]
    if node.get("kind") == "VAR_SET_VALUE" and node["name"] in _SETTINGS:
        yield node["args"][0].get("A_Const", {}).get("sval", {}).get("sval", "")
    for each in node.values():
        yield from _walk(each)


def list_roles(connection: psycopg.Connection) -> set[str]:
    """Return the names of the server's roles."""
    return {row[0] for row in connection.execute("SELECT rolname::text FROM pg_catalog.pg_roles")}


def list_usable(connection: psycopg.Connection) -> set[str]:
    """Return the roles that rehearsals created and that have no rights: others can write a comment too."""
    return {row[0] for row in connection.execute(_USABLE, [_MARK])}


def list_marked(connection: psycopg.Connection) -> set[str]:
    """Return the roles that rehearsals created, by their comments."""
    return {row[0] for row in connection.execute(_MARKED, [_MARK])}


def make(connection: psycopg.Connection, names: Iterable[str], member: str) -> set[str]:
    """Create the roles that do not exist, and return those that rehearsals created; `member`, if any, may act as these.

    A role that cannot be created is not returned. Call it while a scratch database exists, which keeps the roles.
    """
    wanted = set(names)
    with _lock(connection):
        for name in sorted(wanted - list_roles(connection)):
            # In one transaction: a role without its mark would stay.
            with suppress(psycopg.Error), connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
                connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))
        made = list_usable(connection) & wanted
        for name in sorted(made if member else ()):
            with suppress(psycopg.Error), connection.transaction():
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
    if not connection.execute(_UNUSED, [_MARK]).rowcount:
        return
    with _lock(connection):
        for (name,) in connection.execute(_UNUSED, [_MARK]).fetchall():
            with suppress(psycopg.Error), connection.transaction():
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@contextmanager
def _lock(connection: psycopg.Connection) -> Iterator[None]:
    """Open a transaction in which no other rehearsal creates or drops roles: a role that one found unused may be needed by now.

    Every role can take this lock, so that the transaction continues without it after _LOCK_TIMEOUT.
    """
    with connection.transaction():
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            connection.execute(_LOCK)
        yield
