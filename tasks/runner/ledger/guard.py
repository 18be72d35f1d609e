"""Locks that keep the tables of a ledger as they were when they were examined, and the check that they still are.

The owner of a table is trusted; a role that only has the privilege TRIGGER or REFERENCES on it is not, and can add a trigger at
any time. A transaction that writes therefore locks the tables, looks for triggers and writes, in one message.
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.session import run_sql
from tasks.runner.ledger.ownership import IS_INERT, compose_faults, is_trusted
from tasks.runner.ledger.tables import TABLES

Mode = Literal["ACCESS SHARE", "ROW EXCLUSIVE"]

FAULT_MARK = "changed tables of the ledger: "
"""The beginning of the text in the error that a guard raises: that it is not a number."""
LOCK_TIMEOUT = "1s"
"""How long a table of another tool is waited for."""
_QUOTES = ' "\u00ab\u00bb\u201e\u201c\u201d'
"""The quotes around it, in the languages of the server."""
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
_DOUBT = """
({when} OR EXISTS (
    SELECT FROM pg_catalog.pg_class c
     WHERE c.oid IN ({tables})
       AND (c.relkind <> 'r' OR c.relrowsecurity OR c.relhasrules OR c.relhassubclass OR c.relhastriggers)))"""
"""Whether the check has a reason to read anything else than the row of the table."""
_CAN_CHANGE = f"""
        OR {{when}} AND EXISTS (
               SELECT FROM pg_catalog.aclexplode(c.relacl) x
                WHERE x.grantee <> c.relowner AND x.privilege_type IN ('TRIGGER', 'REFERENCES')
                  AND NOT coalesce({is_trusted("x.grantee", "''")}, false))"""
"""Whether others can add what no check of this transaction would show."""
_MAY_BE_OLD = "pg_catalog.current_setting('transaction_isolation') <> 'read committed'"
"""Whether the snapshot of a transaction can be older than its lock."""


def compose_guard(schema: str, tables: Iterable[str], mode: Mode = "ROW EXCLUSIVE", *, strict: bool = False) -> str:
    """Return the SQL that locks tables and raises an error if others can run code through them by now.

    If it is `strict`, also if others could add a trigger later: statements of files that write to the tables have no guard.
    """
    named = [(schema, table) for table in tables]
    return f"{compose_lock(named, mode)};{_compose_check(named, mode, strict=strict)}"


def compose_prepared_guard(name: str, schema: str, tables: Iterable[str]) -> tuple[str, str]:
    """Return the SQL that prepares the check of a guard under a name, and the guard that uses it."""
    named = [(schema, table) for table in tables]
    return (
        f"PREPARE {name} AS {_compose_check(named, 'ROW EXCLUSIVE')}",
        f"{compose_lock(named, 'ROW EXCLUSIVE')}; EXECUTE {name}",
    )


@dataclass(frozen=True, slots=True)
class GuardParts:
    """The statements of a guard that are sent one by one: `lock`, then a query with `doubt`, then perhaps `check`.

    `doubt` is an expression, false if `check` cannot find anything; `check` raises an error, or returns no row.
    """

    lock: str
    doubt: str
    check: str


@cache
def compose_parts(schema: str, tables: tuple[str, ...]) -> GuardParts:
    """Return the parts of a guard of tables to which rows are written.

    The doubt looks at one catalog, and the check at seven, which the server opens whether or not it reads them.
    """
    named = [(schema, table) for table in tables]
    doubt = _DOUBT.format(when=_MAY_BE_OLD, tables=_list_oids(named))
    return GuardParts(compose_lock(named, "ROW EXCLUSIVE"), doubt, _compose_check(named, "ROW EXCLUSIVE"))


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
        f"{compose_lock([(schema, table) for table in TABLES], 'ROW EXCLUSIVE')};\n"
        f"SELECT CAST({mark} || pg_catalog.string_agg(DISTINCT c.name, ', ') AS pg_catalog.int4)\n"
        f"  FROM {found} HAVING pg_catalog.count(*) > 0;\n"
    )


def compose_lock(tables: Iterable[tuple[str, str]], mode: Mode) -> str:
    """Return the SQL that locks tables, each with its schema, without the tables that inherit from them."""
    return f"LOCK TABLE {', '.join(f'ONLY {quote_qualified(*each)}' for each in tables)} IN {mode} MODE"


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
    run_sql(connection, compose_guarded(connection, schema, tables, query, values))


def compose_guarded(
    connection: psycopg.Connection,
    schema: str,
    tables: Iterable[str],
    query: sql.Composed,
    values: Sequence[object] | Mapping[str, object],
) -> str:
    """Return a statement that writes to tables of a ledger, after their guard."""
    return f"{compose_guard(schema, tables)};\n{psycopg.ClientCursor(connection).mogrify(query, values)}"


def describe_change(error: psycopg.Error) -> str:
    """Return what the guard of a ledger found, empty for another error."""
    message = error.diag.message_primary or ""
    _, mark, tables = message.partition(FAULT_MARK)
    if not mark:
        return ""
    return f"others can run code through {tables.rstrip(_QUOTES)}, or add a trigger there, so nothing was written"


def _compose_check(tables: Iterable[tuple[str, str]], mode: Mode, *, strict: bool = False) -> str:
    more = _CAN_CHANGE.format(when="true" if strict else _MAY_BE_OLD) if mode == "ROW EXCLUSIVE" else ""
    return _CHANGED.format(mark=sql.Literal(FAULT_MARK).as_string(), tables=_list_oids(tables), more=more)


def _list_oids(tables: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{sql.Literal(quote_qualified(*each)).as_string()}::pg_catalog.regclass" for each in tables)
