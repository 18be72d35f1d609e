"""A folder of old files and three databases in three states: after cleanup, adoption and migration they are equal."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.catalog import Catalog, read_catalog
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
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


TABLES = "20250101000000_create_accounts"
SEEDS = "20250102000000_create_sources"
LATE = "20250103000000_create_late"
OUTSIDE = """
CREATE EXTENSION xml2; CREATE TABLE options (name text);
DO $$BEGIN CREATE ROLE only_on_target; EXCEPTION WHEN duplicate_object THEN END$$; GRANT SELECT ON accounts TO only_on_target
"""
REPLACED = "CREATE OR REPLACE FUNCTION touch() RETURNS int LANGUAGE sql AS"


def copy_by_dump(source: Database, target: Database) -> None:
    """Restore a dump of a database, made and restored by the programs of its own server."""
    programs = source.server.cluster.programs
    dump = subprocess.run([programs / "pg_dump", "-d", source.url], capture_output=True, text=True, check=True).stdout
    restore = [str(programs / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", target.url]
    subprocess.run(restore, input=dump, text=True, capture_output=True, check=True)


def test_a_restored_copy_on_an_older_server_is_adopted_with_what_scratch_lacks(
    project: Project, older_server: Server, running: OwnServer
) -> None:
    project.write_up(
        TABLES,
        "CREATE TABLE accounts (id int PRIMARY KEY, kind varchar(20) CHECK (kind IN ('a', 'b')), r int4range);"
        "CREATE VIEW shown AS SELECT id FROM accounts WHERE kind = 'a';",
    )
    project.write_down(TABLES, "DROP VIEW shown; DROP TABLE accounts;")
    project.write_up(
        SEEDS,
        "CREATE TABLE IF NOT EXISTS sources (id serial PRIMARY KEY, name text);"
        f"INSERT INTO sources (name) VALUES ('a'), ('b') ON CONFLICT DO NOTHING; {REPLACED} 'SELECT 1';",
    )
    project.write_up(LATE, "CREATE TABLE late (id int);")
    project.write_down(LATE, "DROP TABLE late;")
    env = {"SCRATCH_DATABASE_URL": running.url(), "WATCH_DRIFT": "on", "COLUMNS": "200"}
    with fresh_database(older_server) as source, fresh_database(older_server) as target:
        for version in (TABLES, SEEDS):
            source.execute((project.migrations / "up" / f"{version}.sql").read_text())
        source.execute(f"{OUTSIDE}; {REPLACED} 'SELECT 2'; {OLD_RECORD}")
        source.execute("INSERT INTO schema_migrations (migration_name, applied_at) VALUES (%s, '2020-01-01')", f"{TABLES}.sql")
        copy_by_dump(source, target)
        project = project.at(target.url)
        found = project.inv("db.adopt", "--apply", "--yes", env=env, check=0).stdout
        assert "3 migrations: 1 present, 1 absent, 1 partial" in found
        assert f"{SEEDS} inserts rows that may exist already: 2 rows into public.sources" in found
        assert 'was not rehearsed, because the scratch server cannot restore this schema: extension "xml2"' in found
        project.inv("db.adopt", "--apply", "--yes", f"--assume-present={SEEDS}", env=env, check=0)
        project.migrate(env=env, check=0)
        assert target.query("SELECT count(*) FROM sources") == [(2,)]
        drift = project.inv("db.drift", env=env, check=4).stdout
        assert "schema_migrations_old" not in drift
        target.execute(
            "DROP TABLE schema_migrations_old, options; DROP EXTENSION xml2; REVOKE ALL ON accounts FROM only_on_target"
        )
        target.execute(f"{REPLACED} 'SELECT 1'")
        project.inv("db.drift", env=env, check=0)
        project.inv("db.status", "--check", env=env, check=0)
        project.migrate("rollback", env=env, check=0)
        assert target.query("SELECT to_regclass('late'), to_regclass('accounts') IS NOT NULL") == [(None, True)]


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
