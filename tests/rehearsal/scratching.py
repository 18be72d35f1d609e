"""Queries on scratch databases, and migrations to rehearse."""

import re
from typing import Any

import psycopg

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchDatabase
from tests.kit.servers import Server


def make_table(name: str) -> RehearsedMigration:
    """Return a migration that creates a table, and drops it in its down."""
    return RehearsedMigration(f"make_{name}", f"CREATE TABLE {name} (id int);", f"DROP TABLE {name};", f"up/make_{name}.sql")


def query(database: ScratchDatabase, text: str) -> list[tuple[Any, ...]]:
    """Run a query on a scratch database and return its rows."""
    with psycopg.connect(database.url) as connection:
        return connection.execute(text).fetchall()


def list_tables(database: ScratchDatabase) -> list[str]:
    """Return the tables other than the ledger's."""
    return [
        row[0]
        for row in query(
            database,
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname NOT LIKE 'schema_migrations%' ORDER BY 1",
        )
    ]


def read_runs(database: ScratchDatabase) -> dict[str, str]:
    """Return the id of the run that applied each migration; a copy of a cached state has the ids of the original."""
    rows = query(database, "SELECT version, run_id::text FROM schema_migrations_log WHERE outcome = 'finished' ORDER BY id")
    return dict(rows)


def list_databases(server: Server, kind: str) -> set[str]:
    """Return the databases of a server that are of a kind: scratch or cache."""
    with psycopg.connect(server.url()) as connection:
        names = [row[0] for row in connection.execute("SELECT datname::text FROM pg_database")]
    return {name for name in names if re.match(f"migrate_{kind}_", name)}
