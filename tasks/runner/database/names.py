"""What the names of a file refer to: the only queries under the settings that the statements of a file have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import Target
from tasks.runner.database.own_connection import mark_own

_SCHEMA = """
(SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_class c
   JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%s))
"""

RELATIONS = "migrate.relations"
"""The setting in which `compose_relations` leaves the OIDs of relations, for the rest of its transaction."""


def compose_relations(names: Iterable[str]) -> str:
    """Return SQL that looks up relations as the file would, and sets RELATIONS to their OIDs, 0 for one that does not exist."""
    found = ", ".join(
        f"coalesce(pg_catalog.to_regclass({sql.Literal(name).as_string()})::pg_catalog.oid::pg_catalog.text, '0')"
        for name in names
    )
    value = f"pg_catalog.concat_ws(',', {found})" if found else "''"
    return f"SELECT pg_catalog.set_config('{RELATIONS}', {value}, true)"


def read_as_file(connection: psycopg.Connection, query: str, values: Sequence[str | None] = ()) -> tuple[Any, ...] | None:
    """Return the first row of a query under the settings, the search_path too, that a statement of the file would have now.

    So the query must name the schema of each of its functions, operators, types and relations.
    """
    mark_own(connection, own=False)
    return psycopg.ClientCursor(connection).execute(query, values).fetchone()


def qualify_target(
    connection: psycopg.Connection, target: Target | None, columns: str = "", values: Sequence[str | None] = ()
) -> tuple[Target | None, tuple[Any, ...]]:
    """Return a target with the schemas of its table and its index, as far as they exist, where the file does not name them.

    The values of other `columns` are read in the same round trip, and returned too.
    """
    names: list[str | None] = [None, None]
    if target is not None:
        names[0] = quote_qualified(target.table_schema, target.table) if target.table else None
        names[1] = quote_qualified(target.schema, target.name) if target.name else None
    query = f"SELECT {_SCHEMA}, {_SCHEMA}{columns and ', '}{columns}"
    row = read_as_file(connection, query, [*names, *values]) or (None, None)
    if target is not None:
        target = replace(target, table_schema=row[0] or target.table_schema, schema=row[1] or target.schema)
    return target, row[2:]
