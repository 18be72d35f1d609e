"""The migrations table of another tool, read as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import psycopg

from tasks.postgres.other_tools import OTHER_TOOLS, OtherTool
from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.own_connection import find_schemas

_TABLES = """
SELECT n.nspname::text, c.relname::text, array_agg(a.attname::text)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relname = ANY (%(tables)s::text[]) AND c.relkind IN ('r', 'p') AND n.nspname = ANY (%(schemas)s::text[])
 GROUP BY 1, 2
 ORDER BY array_position(%(schemas)s::text[], n.nspname::text), 2
"""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The record of one migration by another tool; `ok`: whether it counts as applied; `applied_at` is in UTC."""

    version: str
    name: str = ""
    applied_at: datetime | None = None
    checksum: str = ""
    ok: bool = True


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """The record of another tool: the tool, the schema of its table, and its rows in the order of application."""

    tool: OtherTool
    schema: str
    rows: tuple[LedgerRow, ...]

    @property
    def is_in_the_way(self) -> bool:
        """Return True if its table has the name that our ledger needs."""
        return self.tool.table == "schema_migrations"


def find_other_ledger(connection: psycopg.Connection) -> OtherLedger | None:
    """Return the record of another tool on the search_path, preferring one with the name of our ledger, or None."""
    return next(find_other_ledgers(connection), None)


def find_other_ledgers(connection: psycopg.Connection) -> Iterator[OtherLedger]:
    """Yield the records of other tools on the search_path, the one with the name of our ledger first."""
    tables = sorted({tool.table for tool in OTHER_TOOLS})
    found = connection.execute(_TABLES, {"tables": tables, "schemas": find_schemas(connection)}).fetchall()
    found.sort(key=lambda row: row[1] != "schema_migrations")
    for schema, table, columns in found:
        tool = recognise(table, frozenset(columns))
        if tool is not None:
            yield OtherLedger(tool, schema, _read_rows(connection, tool, schema))


def recognise(table: str, columns: frozenset[str]) -> OtherTool | None:
    """Return the tool that creates a table of this name with these columns."""
    for tool in OTHER_TOOLS:
        wanted = frozenset(tool.columns)
        if tool.table == table and (columns == wanted if tool.exact else columns >= wanted):
            return tool
    return None


def _read_rows(connection: psycopg.Connection, tool: OtherTool, schema: str) -> tuple[LedgerRow, ...]:
    table = quote_qualified(schema, tool.table)
    ok, rows = (each.replace("{table}", table) for each in (tool.ok, tool.rows))
    query = (
        f"SELECT {tool.version}, coalesce({tool.label}, ''), ({tool.applied_at})::timestamp, coalesce({tool.checksum}, ''),"
        f" coalesce({ok}, false) FROM {table} AS row WHERE {rows} ORDER BY {tool.order}"
    )
    return tuple(LedgerRow(*row) for row in connection.execute(query.encode()))
