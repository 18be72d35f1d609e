"""A folder of old files and three databases in three states: after cleanup, adoption and migration they are equal."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.catalog import Catalog, read_catalog
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.repositories import isolate_git, make_repository
from tests.kit.servers import Server
from tests.legacy.history import INIT, LEGACY, WORKING
from tests.migrations.gaia import run

OLD_RECORD = """
CREATE TABLE schema_migrations (
    id SERIAL PRIMARY KEY, migration_name VARCHAR(255) UNIQUE NOT NULL, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    checksum VARCHAR(64), execution_time_ms INTEGER
)
"""
ROWS = """
SELECT name FROM roles UNION ALL SELECT source_name FROM asset_sources UNION ALL SELECT name FROM personas
 UNION ALL SELECT email FROM users ORDER BY 1
"""


def read_schema(database: Database) -> Catalog:
    """Read the schema without the ledger."""
    with database.connect() as connection:
        return read_catalog(connection)


@pytest.fixture
def old_project(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project in git that has only old files."""
    isolate_git(monkeypatch, tmp_path)
    shutil.rmtree(project.migrations)
    shutil.copytree(LEGACY, project.root, dirs_exist_ok=True)
    make_repository(project.root).commit("2025-06-01T12:00:00Z")
    return project


@pytest.fixture
def databases(embedded: Server) -> Iterator[dict[str, Database]]:
    """Yield three databases: one partly created by hand, one by the old shell script, and an empty one."""
    with fresh_database(embedded) as by_hand, fresh_database(embedded) as scripted, fresh_database(embedded) as empty:
        run(by_hand, INIT, *WORKING[:2])
        by_hand.execute((LEGACY / "migrations/005_create_personas_tables.sql").read_text())
        scripted.execute(OLD_RECORD)
        run(scripted, INIT)
        for file in WORKING[:-2]:
            run(scripted, file)
            scripted.execute("INSERT INTO schema_migrations (migration_name) VALUES (%s)", file.name)
        yield {"by hand": by_hand, "scripted": scripted, "empty": empty}


def test_three_databases_in_three_states_become_equal(
    old_project: Project, databases: dict[str, Database], embedded: Server
) -> None:
    scratch = {"SCRATCH_DATABASE_URL": embedded.url()}
    cleaned = old_project.inv("db.cleanup-legacy", "--apply", env=scratch, check=0).stdout
    assert "Cleaned up: 10 migrations, 5 set aside" in cleaned
    for database in databases.values():
        project = old_project.at(database.url)
        project.inv("db.adopt", "--apply", "--yes", env=scratch, check=0)
        project.migrate(check=0)
        project.inv("db.status", "--check", env=scratch, check=0)
    versions = {tuple(database.query("SELECT version FROM schema_migrations ORDER BY 1")) for database in databases.values()}
    assert [len(each) for each in versions] == [10]
    assert databases["scripted"].query("SELECT count(*) FROM schema_migrations_old") == [(len(WORKING) - 2,)]
    databases["scripted"].execute("DROP TABLE schema_migrations_old")
    by_hand, scripted, empty = (read_schema(database) for database in databases.values())
    assert len(empty) > len(WORKING)
    assert by_hand == empty
    assert scripted == empty
    rows = {tuple(database.query(ROWS)) for database in databases.values()}
    assert len(rows) == 1
