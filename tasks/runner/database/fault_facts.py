"""What the server knows about an error that it raised: asked after the rollback, in a transaction of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tasks.runner.database.own_connection import find_schemas
from tasks.runner.database.session import begin_own, roll_back

_LIMITS = "SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '500ms'"
_ROWS = frozenset({"23502", "23503", "23505", "23514"})
_WORD = re.compile(r"[\w$.]+")
_CONSTRAINT = """
SELECT c.conrelid::pg_catalog.regclass::text,
       CASE WHEN c.confrelid <> 0 THEN c.confrelid::pg_catalog.regclass::text ELSE '' END,
       coalesce(pg_catalog.pg_get_expr(c.conbin, c.conrelid), ''),
       ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(c.confkey) WITH ORDINALITY k(number, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
  FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.conname = %s AND t.relname = %s AND n.nspname = %s
"""
_PRIMARY_KEY = """
SELECT ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place)
  FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype = 'p' AND (t.oid = pg_catalog.to_regclass(%(referenced)s)
       OR pg_catalog.quote_ident(t.relname) = %(referenced)s AND n.nspname = ANY (%(schemas)s::text[]))
 ORDER BY pg_catalog.array_position(%(schemas)s::text[], n.nspname::text) LIMIT 1
"""
_OWNERS = """
WITH visible AS (
    SELECT DISTINCT ON (c.relname) c.oid, c.relname, c.relowner, pg_catalog.quote_ident(c.relname) AS name
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY (%(schemas)s::text[])
     ORDER BY c.relname, pg_catalog.array_position(%(schemas)s::text[], n.nspname::text)),
     named AS (
    SELECT oid, relowner FROM visible WHERE relname = ANY (%(words)s::text[]) OR name = ANY (%(tables)s::text[])
     UNION
    SELECT oid, relowner FROM pg_catalog.pg_class
     WHERE oid = ANY (SELECT pg_catalog.to_regclass(name) FROM pg_catalog.unnest(%(tables)s::text[]) AS t(name)))
SELECT oid::pg_catalog.regclass::text, pg_catalog.pg_get_userbyid(relowner) FROM named
 WHERE NOT pg_catalog.pg_has_role(relowner, 'USAGE')
UNION
SELECT 'schema ' || pg_catalog.quote_ident(nspname), pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace
 WHERE nspname = ANY (%(words)s) AND NOT pg_catalog.pg_has_role(nspowner, 'USAGE')
UNION
SELECT 'database ' || pg_catalog.quote_ident(datname), pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database
 WHERE datname = ANY (%(words)s) AND NOT pg_catalog.pg_has_role(datdba, 'USAGE')
ORDER BY 1 LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class ConstraintFacts:
    """A constraint in the catalog; names and its condition are SQL."""

    table: str
    referenced: str
    condition: str
    columns: tuple[str, ...]
    referenced_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultFacts:
    """The facts about an error; what does not apply to it, or could not be found out, is empty."""

    constraint: ConstraintFacts | None = None
    primary_key: tuple[str, ...] = ()
    """The columns of the primary key of the table that the statement's foreign key refers to."""
    owners: tuple[tuple[str, str], ...] = ()
    """The objects that the message or the statement names, each with its owner, unless the user has the owner's rights."""
    user: str = ""
    encoding: str = ""
    major: int = 0
    standby: bool = False


def read_facts(
    connection: psycopg.Connection, error: psycopg.Error, *, tables: Sequence[str] = (), referenced: str = ""
) -> FaultFacts:
    """Return what the server knows about an error; the open transaction, in which the error was raised, is rolled back.

    `tables` are those of the failed statement, `referenced` is the one that its foreign key refers to. Nothing is raised: an
    error here must not hide the one that it explains.
    """
    if connection.closed or connection.broken:
        return FaultFacts()
    try:
        roll_back(connection)
        begin_own(connection, "READ ONLY", _LIMITS)
        return _read(connection, error, tables, referenced)
    except psycopg.Error:
        return FaultFacts()
    finally:
        with suppress(psycopg.Error):
            roll_back(connection)


def _read(connection: psycopg.Connection, error: psycopg.Error, tables: Sequence[str], referenced: str) -> FaultFacts:
    diag, sqlstate = error.diag, error.sqlstate or ""
    constraint: ConstraintFacts | None = None
    key: tuple[str, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    standby = False
    if sqlstate in _ROWS and diag.constraint_name:
        names = [diag.constraint_name, diag.table_name or "", diag.schema_name or ""]
        row = connection.execute(_CONSTRAINT, names, prepare=False).fetchone()
        constraint = ConstraintFacts(row[0], row[1], row[2], tuple(row[3]), tuple(row[4])) if row else None
    if sqlstate == "23503" and referenced:
        values = {"referenced": referenced, "schemas": find_schemas(connection)}
        row = connection.execute(_PRIMARY_KEY, values, prepare=False).fetchone()
        key = tuple(row[0]) if row else ()
    if sqlstate == "42501":
        words = _WORD.findall(diag.message_primary or "")
        values = {"tables": list(tables), "words": words, "schemas": find_schemas(connection)}
        owners = tuple((row[0], row[1]) for row in connection.execute(_OWNERS, values, prepare=False))
    if sqlstate == "25006":
        row = connection.execute("SELECT pg_catalog.pg_is_in_recovery()", prepare=False).fetchone()
        standby = bool(row and row[0])
    return FaultFacts(
        constraint,
        key,
        owners,
        connection.info.user,
        connection.info.parameter_status("server_encoding") or "",
        connection.info.server_version // 10000,
        standby,
    )
