"""Locks that keep the tables of a ledger as they were when they were examined, and the check that they still are.

The owner of a table is trusted; a role that only has the privilege TRIGGER or REFERENCES on it is not, and can add a trigger at
any time. A transaction that writes therefore locks the tables, looks for triggers and writes, in one message.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import psycopg
from psycopg import sql

from tasks.postgres.other_tools import OTHER_TOOLS
from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.own_connection import find_schemas
from tasks.runner.database.session import begin_own, run_sql
from tasks.runner.ledger.ownership import IS_INERT, compose_faults, is_trusted, read_ledger_owner
from tasks.runner.ledger.tables import TABLES

Mode = Literal["ACCESS SHARE", "ROW EXCLUSIVE"]

FAULT_MARK = "changed tables of the ledger: "
"""The beginning of the text in the error that a guard raises: that it is not a number."""
_READING = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
LOCK_TIMEOUT = "1s"
"""How long a table of another tool is waited for."""
_QUOTES = ' "\u00ab\u00bb\u201e\u201c\u201d'
"""The quotes around it, in the languages of the server."""
_CANDIDATES = f"""
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%(schemas)s::pg_catalog.name[]) AND c.relname = ANY (%(tables)s::pg_catalog.name[]) AND c.relkind = 'r'
   AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND {is_trusted("c.relowner", "%(owner)s")} AND {is_trusted("n.nspowner", "%(owner)s")}
"""
"""The tables that can be locked for reading: no other role can make us wait for a lock on them."""
_CHANGED = """
SELECT CAST({mark} || pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ') AS pg_catalog.int4) FROM pg_catalog.pg_class c
 WHERE c.oid IN ({tables})
   AND (c.relkind <> 'r'
        OR c.relrowsecurity AND EXISTS (SELECT FROM pg_catalog.pg_policy x WHERE x.polrelid = c.oid)
        OR c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite x WHERE x.ev_class = c.oid)
        OR c.relhassubclass AND EXISTS (SELECT FROM pg_catalog.pg_inherits x WHERE x.inhparent = c.oid)
        OR c.relhastriggers AND EXISTS (
               SELECT FROM pg_catalog.pg_trigger x LEFT JOIN pg_catalog.pg_constraint k ON k.oid = x.tgconstraint
                WHERE x.tgrelid = c.oid AND (NOT x.tgisinternal OR k.contype = 'f' AND NOT (
                      k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r')))){more})
HAVING pg_catalog.count(*) > 0"""
"""An error if a table got something that could run code."""
_CAN_CHANGE = f"""
        OR {{when}} AND EXISTS (
               SELECT FROM pg_catalog.aclexplode(c.relacl) x
                WHERE x.grantee <> c.relowner AND x.privilege_type IN ('TRIGGER', 'REFERENCES')
                  AND NOT coalesce({is_trusted("x.grantee", "''")}, false))"""
"""Whether others can add what no check of this transaction would show."""
_MAY_BE_OLD = "pg_catalog.current_setting('transaction_isolation') <> 'read committed'"
"""Whether the snapshot of a transaction can be older than its lock."""


def begin_reading(connection: psycopg.Connection, *, limit_s: float = math.inf) -> None:
    """Begin a READ ONLY transaction with one snapshot, which is not older than the locks on the tables that are read in it.

    The tables of other tools are not locked if another session has locked one of them for longer than LOCK_TIMEOUT. `limit_s`
    limits each statement of the transaction, waiting for locks included.
    """
    limit = [f"SET LOCAL statement_timeout = {math.ceil(limit_s * 1000)}"] if limit_s < math.inf else []
    tables = sorted({*TABLES, *(tool.table for tool in OTHER_TOOLS)})
    values = {"tables": tables, "schemas": find_schemas(connection), "owner": read_ledger_owner(connection)}
    found = connection.execute(compose(connection, _CANDIDATES, values)).fetchall()
    own = [each for each in found if each[1] in TABLES]
    others = [each for each in found if each[1] not in TABLES]
    locks = [_lock(own, "ACCESS SHARE")] if own else []
    if others:
        limited = f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; {_lock(others, 'ACCESS SHARE')}; SET LOCAL lock_timeout = 0"
        try:
            begin_own(connection, _READING, *limit, limited, *locks)
            return
        except psycopg.errors.LockNotAvailable:
            run_sql(connection, "ROLLBACK")
    begin_own(connection, _READING, *limit, *locks)


def compose_guard(schema: str, tables: Iterable[str], mode: Mode = "ROW EXCLUSIVE", *, strict: bool = False) -> str:
    """Return the SQL that locks tables and raises an error if others can run code through them by now.

    If it is `strict`, also if others could add a trigger later: statements of files that write to the tables have no guard.
    """
    named = [(schema, table) for table in tables]
    return f"{_lock(named, mode)};{_compose_check(named, mode, strict=strict)}"


def compose_prepared_guard(name: str, schema: str, tables: Iterable[str]) -> tuple[str, str]:
    """Return the SQL that prepares the check of a guard under a name, and the guard that uses it."""
    named = [(schema, table) for table in tables]
    return f"PREPARE {name} AS {_compose_check(named, 'ROW EXCLUSIVE')}", f"{_lock(named, 'ROW EXCLUSIVE')}; EXECUTE {name}"


def compose_new_guard(schema: str, owner: str, *, doubtful: bool) -> str:
    """Return the SQL that locks the tables of a new ledger and raises an error if one of them belongs to others, or runs code.

    `owner`: LEDGER_OWNER; `doubtful`: whether the short check is not enough for this ledger.
    """
    mark, owner_text = sql.Literal(FAULT_MARK).as_string(), sql.Literal(owner).as_string()
    found = f"({compose_faults(schema, TABLES, owner)}) c"
    if not doubtful:
        names = f"n.nspname = {sql.Literal(schema).as_string()} AND c.relname IN {TABLES}"
        checks = (IS_INERT, is_trusted("c.relowner", owner_text), is_trusted("n.nspowner", owner_text))
        found = (
            "(SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
            f" WHERE {names} AND NOT coalesce({' AND '.join(checks)}, false)) c"
        )
    return (
        f"{_lock([(schema, table) for table in TABLES], 'ROW EXCLUSIVE')};\n"
        f"SELECT CAST({mark} || pg_catalog.string_agg(DISTINCT c.name, ', ') AS pg_catalog.int4)\n"
        f"  FROM {found} HAVING pg_catalog.count(*) > 0;\n"
    )


def compose(connection: psycopg.Connection, query: str, values: Mapping[str, object]) -> bytes:
    """Return a query with its values in it: it is sent as one message, and one with parameters as five."""
    return psycopg.ClientCursor(connection).mogrify(query.encode(), values).encode()


def write_guarded(
    connection: psycopg.Connection,
    schema: str,
    tables: Iterable[str],
    query: sql.Composed,
    values: Sequence[object] | Mapping[str, object],
) -> None:
    """Run a statement that writes to tables of a ledger, after their guard, in one round trip."""
    text = psycopg.ClientCursor(connection).mogrify(query, values)
    run_sql(connection, f"{compose_guard(schema, tables)};\n{text}")


def describe_change(error: psycopg.Error) -> str:
    """Return what the guard of a ledger found, empty for another error."""
    message = error.diag.message_primary or ""
    _, mark, tables = message.partition(FAULT_MARK)
    if not mark:
        return ""
    return f"others can run code through {tables.rstrip(_QUOTES)}, or add a trigger there, so nothing was written"


def _compose_check(tables: Iterable[tuple[str, str]], mode: Mode, *, strict: bool = False) -> str:
    oids = ", ".join(f"{sql.Literal(quote_qualified(*each)).as_string()}::pg_catalog.regclass" for each in tables)
    more = _CAN_CHANGE.format(when="true" if strict else _MAY_BE_OLD) if mode == "ROW EXCLUSIVE" else ""
    return _CHANGED.format(mark=sql.Literal(FAULT_MARK).as_string(), tables=oids, more=more)


def _lock(tables: Iterable[tuple[str, str]], mode: Mode) -> str:
    return f"LOCK TABLE {', '.join(f'ONLY {quote_qualified(*each)}' for each in tables)} IN {mode} MODE"
