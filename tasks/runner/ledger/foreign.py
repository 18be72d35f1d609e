"""The migrations table of another tool, read as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from tasks.postgres.other_tools import ALEMBIC, OTHER_TOOLS, recognise
from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.own_connection import find_schemas
from tasks.runner.ledger.guard import LOCK_TIMEOUT, compose, compose_guard
from tasks.runner.ledger.ownership import IS_INERT, is_trusted, list_faults, read_ledger_owner
from tasks.runner.ledger.refusal import refuse

if TYPE_CHECKING:
    from tasks.postgres.other_tools import OtherTool
    from tasks.runner.ledger.layout import Rows

_TABLES = f"""
SELECT n.nspname::text, c.relname::text, array_agg(a.attname::text),
       coalesce({IS_INERT} AND {is_trusted("c.relowner", "%(owner)s")} AND {is_trusted("n.nspowner", "%(owner)s")}, false)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relname = ANY (%(tables)s::text[]) AND c.relkind IN ('r', 'p') AND n.nspname = ANY (%(schemas)s::text[])
 GROUP BY c.oid, n.oid
 ORDER BY array_position(%(schemas)s::text[], n.nspname::text), 2
"""
_LOCKED = "another session has locked the table"
_IS_SAFE = """
SELECT current_setting('transaction_isolation') = 'read committed' OR NOT has_table_privilege(%(table)s, 'SELECT')
    OR EXISTS (SELECT FROM pg_locks WHERE relation = %(table)s::regclass AND pid = pg_backend_pid() AND granted)
"""
"""Whether the snapshot of the transaction is not older than a lock on the table, as `begin_reading` takes it."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The record of one migration by another tool; `ok`: whether it counts as applied; `applied_at` is in UTC.

    `baseline`: whether all versions up to its own count as applied.
    """

    version: str
    name: str = ""
    applied_at: datetime | None = None
    checksum: str = ""
    ok: bool = True
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """The record of another tool: the tool, the schema of its table, and its rows in the order of application."""

    tool: OtherTool
    schema: str
    rows: tuple[LedgerRow, ...]
    unread: str = ""
    """Why the rows could not be read; there are none then."""

    @property
    def is_locked(self) -> bool:
        """Return True if the rows were not read because another session has locked the table."""
        return self.unread == _LOCKED

    @property
    def is_in_the_way(self) -> bool:
        """Return True if its table has the name that our ledger needs."""
        return self.tool.table == "schema_migrations"


class VersionTable(NamedTuple):
    """The version table of Alembic; without a schema it is on the search_path."""

    name: str = ALEMBIC.table
    schema: str = ""


def find_other_ledger(connection: psycopg.Connection, alembic: VersionTable | None = None) -> OtherLedger | None:
    """Return the record of another tool on the search_path, preferring one with the name of our ledger, or None."""
    return next(find_other_ledgers(connection, alembic), None)


def find_other_ledgers(connection: psycopg.Connection, alembic: VersionTable | None = None) -> Iterator[OtherLedger]:
    """Yield the records of other tools on the search_path, the one with the name of our ledger first.

    If it is known which table is Alembic's, that one is read, in whatever schema it is, and no other of Alembic.

    A table that this role may not read, or that another session has locked, has no rows, and the reason in `unread`. Raises
    RefusedError before it reads a table through which others could run code.
    """
    tables = connection.execute(compose_tool_tables(connection, alembic)).fetchall()
    yield from read_other_ledgers(connection, tables, alembic)


def compose_tool_tables(connection: psycopg.Connection, alembic: VersionTable | None = None) -> bytes:
    """Return the query whose rows `read_other_ledgers` takes: the tables with the names of those of other tools."""
    tables, schemas = {tool.table for tool in OTHER_TOOLS}, find_schemas(connection)
    if alembic is not None:
        tables.add(alembic.name)
        schemas = [*schemas, *([alembic.schema] if alembic.schema and alembic.schema not in schemas else [])]
    return compose(connection, _TABLES, {"tables": sorted(tables), "schemas": schemas, "owner": read_ledger_owner(connection)})


def read_other_ledgers(
    connection: psycopg.Connection, tables: Rows, alembic: VersionTable | None = None
) -> Iterator[OtherLedger]:
    """Yield what `find_other_ledgers` does, from the rows of the query for the tables."""
    path = find_schemas(connection)
    for schema, table, columns, is_usual in sorted(tables, key=lambda row: row[1] != "schema_migrations"):
        tool = _recognise(schema, table, frozenset(columns), alembic, path)
        if tool is not None:
            faults = () if is_usual else list_faults(connection, schema, [table])
            if faults:
                raise refuse(faults, what=f"record of {tool.name}")
            yield _read_record(connection, tool, schema)


def _recognise(
    schema: str, table: str, columns: frozenset[str], alembic: VersionTable | None, path: Sequence[str]
) -> OtherTool | None:
    """Return the tool of a table, unless it is outside of the search_path or another one is known to be Alembic's."""
    if alembic is not None and alembic.name == table and alembic.schema in ("", schema) and columns >= set(ALEMBIC.columns):
        return ALEMBIC._replace(table=table)
    tool = recognise(table, columns) if schema in path else None
    return None if tool is ALEMBIC and alembic is not None else tool


def _read_record(connection: psycopg.Connection, tool: OtherTool, schema: str) -> OtherLedger:
    table = quote_qualified(schema, tool.table)
    try:
        # The rollback ends the lock_timeout.
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            (is_safe,) = connection.execute(_IS_SAFE, {"table": table}).fetchone() or (False,)
            if is_safe:
                return OtherLedger(tool, schema, _read_rows(connection, tool, schema))
    except psycopg.errors.InsufficientPrivilege as error:
        return OtherLedger(tool, schema, (), str(error.diag.message_primary))
    except psycopg.errors.LockNotAvailable:
        pass
    return OtherLedger(tool, schema, (), _LOCKED)


def _read_rows(connection: psycopg.Connection, tool: OtherTool, schema: str) -> tuple[LedgerRow, ...]:
    table = quote_qualified(schema, tool.table)
    ok, rows = (each.replace("{table}", table) for each in (tool.ok, tool.rows))
    query = (
        f"SELECT {tool.version}, coalesce({tool.label}, ''), ({tool.applied_at})::timestamp, coalesce({tool.checksum}, ''),"
        f" coalesce({ok}, false), coalesce({tool.baseline}, false) FROM {table} AS row WHERE {rows} ORDER BY {tool.order}"
    )
    guard = compose_guard(schema, [tool.table], "ACCESS SHARE")
    cursor = connection.execute(f"{guard};\n{query}".encode())
    cursor.nextset()  # of the guard
    cursor.nextset()
    return tuple(LedgerRow(*row) for row in cursor)
