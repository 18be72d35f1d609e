"""Reading the catalog of a large schema, compared with pg_dump."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import psycopg
from psycopg import sql

from benchmarks.kit.timing import Command, Sample, time_interleaved
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

READ, DUMP = "read_catalog", "pg_dump --schema-only"
TABLES = 2000
"""Each has ten columns and three indexes."""

_DATABASE = "catalog"
_PROGRAM = """
import sys, psycopg
from tasks.catalog import read_catalog
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(len(read_catalog(connection)))
"""
_TABLES_IN_A_TRANSACTION = 500
"""More would exceed the lock table of a server with default settings."""


@dataclass
class CatalogBenchmark:
    """A server, and the number of runs of each command."""

    server: Server
    runs: int

    def time(self, tables: int = TABLES) -> dict[str, Sample]:
        """Time processes that read the schema of a database with `tables` tables."""
        self._create_database(tables)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        url = self.server.url(_DATABASE)
        commands = {
            READ: Command([sys.executable, "-c", _PROGRAM, url], environment),
            DUMP: Command([str(self.server.cluster.programs / "pg_dump"), "--schema-only", "--dbname", url], environment),
        }
        return time_interleaved(commands, self.runs, warm_up=True)

    def _create_database(self, tables: int) -> None:
        self.server.drop(_DATABASE)
        self.server.create(_DATABASE)
        with psycopg.connect(self.server.url(_DATABASE), autocommit=True) as connection:
            for first in range(1, tables + 1, _TABLES_IN_A_TRANSACTION):
                numbers = range(first, min(first + _TABLES_IN_A_TRANSACTION, tables + 1))
                connection.execute("".join(map(write_table, numbers)))
            connection.execute("VACUUM ANALYZE")
        self.server.administer(sql.SQL("CHECKPOINT").format())


def write_table(number: int) -> str:
    """Return the SQL of a typical table: a key, a reference to the previous table, a check and defaults."""
    table = f"table_{number:05}"
    reference = f" REFERENCES table_{number - 1:05} (id)" if number > 1 else ""
    return f"""
        CREATE TABLE {table} (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            parent bigint{reference},
            name varchar(80) NOT NULL,
            email text,
            status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'done')),
            price numeric(10, 2) DEFAULT 0,
            tags text[],
            details jsonb NOT NULL DEFAULT '{{}}',
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz
        );
        CREATE INDEX {table}_parent ON {table} (parent);
        CREATE INDEX {table}_name ON {table} (lower(name)) WHERE status <> 'done';
    """
