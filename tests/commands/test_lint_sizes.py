"""`inv db.lint --env`: the sizes and the use of the environment's tables decide what is a finding."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import psycopg
import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project

TABLES, PENDING = "20250101000000_tables", "20250102000000_pending"
NAMES = ("empty", "small", "large", "unknown")
REPORT = "SELECT pg_stat_force_next_flush()"
"""Reports to the statistics at once what a session did."""


@pytest.fixture
def filled(project: Project, database: Database) -> Project:
    """Return a project with an empty, a small and a large table, and a large one that was never analysed."""
    project = replace(project, scratch_url=database.server.url())
    project.write_up(TABLES, "".join(f'CREATE TABLE "{name}" (id bigint PRIMARY KEY, a int);\n' for name in NAMES))
    project.write_down(TABLES, "".join(f'DROP TABLE "{name}";\n' for name in NAMES))
    project.migrate("migrate", check=0)
    for name, rows in (("small", 100), ("large", 50_000), ("unknown", 50_000)):
        database.execute(f'ALTER TABLE "{name}" SET (autovacuum_enabled = off)')
        database.execute(f'INSERT INTO "{name}" SELECT n, n FROM generate_series(1, {rows}) AS n')
    # Else the session reports these writes some seconds later, perhaps when the tables are looked at.
    database.execute(REPORT)
    database.execute("ANALYZE empty, small, large")
    return project


def lint(project: Project, up: str) -> list[str]:
    """Lint a pending file with the sizes of the database, and return the line and rule of each finding."""
    project.write_up(PENDING, up)
    project.write_down(PENDING, "SELECT 1;\n")
    lines = project.inv("db.lint", "--env=local").stdout.splitlines()
    return [":".join(line.split(":")[1:3]) for line in lines if line.startswith("migrations/up/")]


def test_what_is_slow_is_a_finding_for_a_large_table_only(filled: Project) -> None:
    ups = "".join(f'CREATE INDEX ON "{name}" (a);\n' for name in NAMES)
    ups += "".join(f'UPDATE "{name}" SET a = 1 WHERE a > 0;\n' for name in NAMES[1:])
    assert lint(filled, f"-- migrate: no-transaction\n{ups}") == [
        "4: require-concurrent-index-creation",
        "5: require-concurrent-index-creation",
        "7: update-of-many-rows",
        "8: update-of-many-rows",
    ]


@contextmanager
def keep_reading(database: Database, *tables: str) -> Iterator[None]:
    """Read tables in another session until the block ends."""
    begun, ended = Event(), Event()

    def read() -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            while not ended.is_set():
                for table in tables:
                    connection.execute(f'SELECT a FROM "{table}" WHERE id = 1')
                connection.execute(REPORT)
                begun.set()

    thread = Thread(target=read)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_only_busy_tables_must_not_share_a_transaction(filled: Project, database: Database) -> None:
    up = "ALTER TABLE empty ADD COLUMN b int;\nALTER TABLE large ADD COLUMN b int;\nALTER TABLE small ADD COLUMN b int;\n"
    assert lint(filled, up) == []
    with keep_reading(database, "large", "small"):
        assert lint(filled, up) == ["3: several-exclusive-locks"]
