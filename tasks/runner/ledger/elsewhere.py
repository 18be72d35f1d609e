"""Ledgers of this tool in schemas that search_path does not reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from tasks.postgres.quoting import quote_identifier, show_identifier, show_qualified
from tasks.runner.database.own_connection import find_schemas
from tasks.runner.events import Finding
from tasks.runner.ledger.guard import compose
from tasks.runner.ledger.tables import TABLES

if TYPE_CHECKING:
    from tasks.runner.ledger.layout import Rows
    from tasks.runner.ledger.reading import Ledger

_MOST_NAMED = 3
_LEDGERS = """
SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), array_agg(c.relname::text ORDER BY c.relname),
       current_user::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY (%(tables)s::text[]) AND c.relkind IN ('r', 'p') AND n.nspname <> %(schema)s
   AND n.nspname !~ '^pg_(temp|toast)'
 GROUP BY n.oid, n.nspname
HAVING bool_or(c.relname = 'schema_migrations') AND bool_or(c.relname IN ('schema_migrations_log', 'schema_migrations_meta'))
 ORDER BY n.nspname
"""
"""The catalogs can be read without any privilege on the schemas."""


@dataclass(frozen=True, slots=True)
class DistantLedger:
    """A ledger in a schema that search_path does not reach, and what the role sees instead."""

    schema: str
    usable: bool
    """Whether the role has USAGE on the schema; without that, search_path ignores it."""
    tables: tuple[str, ...]
    user: str
    path: tuple[str, ...]


def find_distant_ledgers(connection: psycopg.Connection, ledger: Ledger) -> tuple[DistantLedger, ...]:
    """Return the ledgers in other schemas than that of `ledger`."""
    return build_distant_ledgers(connection, connection.execute(compose_distant_ledgers(connection, ledger)).fetchall())


def compose_distant_ledgers(connection: psycopg.Connection, ledger: Ledger) -> bytes:
    """Return the query whose rows `build_distant_ledgers` takes."""
    return compose(connection, _LEDGERS, {"tables": list(TABLES), "schema": ledger.schema})


def build_distant_ledgers(connection: psycopg.Connection, rows: Rows) -> tuple[DistantLedger, ...]:
    """Return the ledgers in other schemas from the rows of their query."""
    path = tuple(find_schemas(connection))
    return tuple(DistantLedger(schema, usable, tuple(tables), user, path) for schema, usable, tables, user in rows)


def describe_distant_ledgers(ledger: Ledger, distant: tuple[DistantLedger, ...]) -> Finding:
    """Return the refusal to create another ledger beside the one that search_path does not reach."""
    named = ", ".join(each.schema for each in distant[:_MOST_NAMED])
    more = f" and {len(distant) - _MOST_NAMED} more" if len(distant) > _MOST_NAMED else ""
    which = f"schema{'s' if len(distant) > 1 else ''} {named}{more}"
    message = f"no ledger in schema {ledger.schema}, where this run would create one, but this database has one in {which}"
    hints = [_describe_use(ledger, distant[0])]
    hints.append(f"If schema {ledger.schema} needs a ledger of its own (one per tenant), create it: inv db.adopt --apply")
    return Finding("elsewhere", "", message, refuses=True, hint="\n".join(hints))


def _describe_use(ledger: Ledger, distant: DistantLedger) -> str:
    """Return how a run can use another ledger."""
    schema = show_identifier(distant.schema)
    if not distant.usable:
        user = show_identifier(distant.user)
        return (
            f"{user} has no USAGE on schema {schema}, so search_path ignores it. To use that ledger:\n"
            f"  GRANT USAGE ON SCHEMA {schema} TO {user};"
        )
    path = quote(",".join(quote_identifier(name) for name in (*distant.path, distant.schema)), safe=",")
    moves = "\n".join(
        f"  ALTER TABLE {show_qualified(distant.schema, table)} SET SCHEMA {show_identifier(ledger.schema)};"
        for table in distant.tables
    )
    return f"To use that ledger, add ?options=-csearch_path%3D{path} to DATABASE_URL, or move it:\n{moves}"
