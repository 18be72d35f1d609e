"""Where the ledger is, and which of its tables exist: what must be known before a row of them is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from tasks.runner.database.own_connection import OwnConnection, find_schemas
from tasks.runner.ledger.guard import compose
from tasks.runner.ledger.ownership import IS_INERT, is_trusted, read_ledger_owner
from tasks.runner.ledger.tables import HELPER_TABLES, TABLES

_LAYOUT = f"""
WITH place AS (
       SELECT n.nspname, n.oid, n.nspowner, s.number,
              (SELECT c.oid FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'schema_migrations') AS ledger,
              EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'schema_migrations_log') AS log
         FROM unnest({{schemas}}::text[]) WITH ORDINALITY s (name, number) JOIN pg_namespace n ON n.nspname = s.name),
     chosen AS (SELECT * FROM place ORDER BY ledger IS NULL, NOT log, number LIMIT 1)
SELECT t.nspname AS schema,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       ARRAY(SELECT beside FROM unnest(%(helpers)s::text[]) beside
              WHERE EXISTS (SELECT FROM pg_class h WHERE h.relnamespace = t.oid AND h.relname = 'schema_migrations' || beside))
              AS helpers,
       c.relkind IN ('r', 'p') AND EXISTS (
         SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           JOIN pg_type y ON y.oid = a.atttypid
          WHERE i.indrelid = c.oid AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL
            AND a.attname = 'version' AND a.attnotnull AND y.typcategory = 'S') AS keyed,
       ARRAY(SELECT part FROM unnest(ARRAY[''] || %(helpers)s::text[]) part
               JOIN pg_class own ON own.relnamespace = t.oid AND own.relname = 'schema_migrations' || part
              WHERE NOT has_table_privilege(own.oid, 'SELECT')) AS unreadable,
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = t.oid AND c.relname = ANY (%(tables)s::text[])
                  AND NOT coalesce({IS_INERT} AND {is_trusted("c.relowner", "%(owner)s")}, false))
       OR NOT {is_trusted("t.nspowner", "%(owner)s")} AS doubtful
  FROM chosen t LEFT JOIN pg_class c ON c.oid = t.ledger
"""
"""The schema is the first of the role's search_path that has schema_migrations, else that has its log, else the first."""
_CERTAIN = "SELECT found.*, CAST(CASE WHEN doubtful THEN 'doubtful' END AS pg_catalog.int4) FROM ({layout}) found"
"""The layout, or an error if it is doubtful, so that nothing after it in the same message is read."""


Rows = list[tuple[Any, ...]]


class LedgerLayout(NamedTuple):
    """The schema of the ledger, the columns of schema_migrations and the tables beside it.

    `columns` is None if schema_migrations does not exist; `keyed`: its version is a text and its key; `unreadable`: the tables
    that the current user may not read; `doubtful`: the short check of the schema and the tables is not enough.
    """

    schema: str
    columns: list[str] | None
    helpers: list[str]
    keyed: bool | None
    unreadable: list[str]
    doubtful: bool

    @property
    def is_plain(self) -> bool:
        """Return True if the ledger exists, and its rows can be read without further checks."""
        return self.columns is not None and not self.doubtful and not self.unreadable and bool(self.keyed)


class ReadAhead(NamedTuple):
    """What the message that began a transaction has read of the ledger: its layout, and the answers about a plain one."""

    layout: LedgerLayout | None
    answers: Sequence[Rows] = ()


def take_ahead(connection: psycopg.Connection) -> ReadAhead | None:
    """Return what was read when the transaction began, once."""
    if not isinstance(connection, OwnConnection):
        return None
    ahead, connection.ahead = connection.ahead, None
    return ahead if isinstance(ahead, ReadAhead) else None


def compose_layout(connection: psycopg.Connection, schemas: str = "%(schemas)s", *, certain: bool = False) -> str:
    """Return the query for the layout; `schemas` is SQL for the names of the schemas.

    If it must be `certain`, a doubtful layout raises an error.
    """
    query = _LAYOUT.format(schemas=schemas)
    values = {
        "schemas": find_schemas(connection) if schemas == "%(schemas)s" else [],
        "helpers": list(HELPER_TABLES),
        "tables": list(TABLES),
        "owner": read_ledger_owner(connection),
    }
    return compose(connection, _CERTAIN.format(layout=query) if certain else query, values).decode()


def fetch_each(connection: psycopg.Connection, queries: Sequence[bytes]) -> list[Rows]:
    """Return the rows of each of several queries, which are sent in one message."""
    return take_results(connection.execute(b";\n".join(queries)))


def take_results(cursor: psycopg.Cursor[Any]) -> list[Rows]:
    """Return the rows of each result that has some, from the current one on."""
    results: list[Rows] = []
    while True:
        if cursor.description is not None:
            results.append(cursor.fetchall())
        if not cursor.nextset():
            return results


def read_layout(connection: psycopg.Connection) -> LedgerLayout | None:
    """Return the layout of the ledger, None if no schema of search_path exists."""
    row = connection.execute(compose_layout(connection).encode()).fetchone()
    return None if row is None else LedgerLayout(*row)
