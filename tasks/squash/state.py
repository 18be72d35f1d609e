"""The content of a scratch database as a value: schema, rows and sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.catalog import Catalog, read_catalog
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.policies import without_policies
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.database.session import connect

_SEQUENCES = "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_sequences ORDER BY 1"


@dataclass(frozen=True, slots=True)
class State:
    """The content of a database: its schema, digests of its rows by table, and the values of its sequences."""

    catalog: Catalog
    rows: Mapping[str, Counter[str]]
    sequences: Mapping[str, int | None]

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return sum(rows.total() for rows in self.rows.values())


def read_state(database: ScratchDatabase) -> State:
    """Read the content of a database."""
    with connect(database.url, name="migrate-squash") as connection:
        tables = [table.name for table in read_shapes(connection).tables.values()]
        with without_policies(connection):
            rows = {name: _read_rows(connection, name) for name in tables}
        sequences: dict[str, int | None] = dict(connection.execute(_SEQUENCES).fetchall())
        return State(
            read_catalog(connection), rows, {name: at for name, at in sequences.items() if "schema_migrations" not in name}
        )


def _read_rows(connection: psycopg.Connection, name: str) -> Counter[str]:
    query = sql.SQL("SELECT md5(t::text) FROM {} AS t").format(sql.SQL(name))
    return Counter(row[0] for row in connection.execute(query))
