"""`inv db.lint --write`: a pending file is replaced by its safe migration, unless it is applied somewhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.checkouts import make_checkout
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.servers import Server

TABLES, KEY, LATER = "20250101000000_tables", "20250102000000_add_key", "20250103000000_later"


@pytest.fixture
def pending(project: Project, database: Database) -> Project:
    """Return a project in which a foreign key is pending, with the shared server as the scratch server."""
    project = replace(project, scratch_url=database.server.url())
    project.write_up(
        TABLES, "CREATE TABLE authors (id int PRIMARY KEY);\nCREATE TABLE poems (id int PRIMARY KEY, author_id int);\n"
    )
    project.write_down(TABLES, "DROP TABLE poems;\nDROP TABLE authors;\n")
    project.migrate("migrate", check=0)
    project.write_up(
        KEY, "-- Description: Poems have authors\n\nALTER TABLE poems ADD FOREIGN KEY (author_id) REFERENCES authors (id);\n"
    )
    project.write_down(KEY, "ALTER TABLE poems DROP CONSTRAINT poems_author_id_fkey;\n")
    project.write_up(LATER, "CREATE TABLE later (id int);\n")
    project.write_down(LATER, "DROP TABLE later;\n")
    return project


def read_files(project: Project) -> dict[str, bytes]:
    """Return the bytes of all migrations."""
    paths = sorted(project.migrations.rglob("*.sql"))
    return {str(path.relative_to(project.migrations)): path.read_bytes() for path in paths}


def test_a_pending_file_is_replaced_by_files_that_lint_clean_and_run(pending: Project, database: Database) -> None:
    result = pending.inv("db.lint", "--write", check=0)
    assert "20250102000000_add_key.sql is now 3 migrations:" in result.stdout
    files = read_files(pending)
    ups = sorted(Path(name).stem for name in files if name.startswith("up/"))
    assert ups == [
        TABLES,
        KEY,
        "20250102000001_add_poems_author_id_fkey",
        "20250102000002_validate_poems_author_id_fkey",
        LATER,
    ]
    assert files[f"up/{KEY}.sql"] == (
        b"-- Description: Poems have authors\n\nCREATE INDEX CONCURRENTLY poems_author_id_idx ON poems (author_id);\n"
    )
    assert {name.removeprefix("down/") for name in files if "down" in name} == {f"{each}.sql" for each in ups}
    pending.inv("db.lint", "--write", check=0)
    assert read_files(pending) == files
    pending.migrate("migrate", check=0)
    assert database.query("SELECT convalidated FROM pg_constraint WHERE conname = 'poems_author_id_fkey'") == [(True,)]


def test_the_files_run_on_the_oldest_version(pending: Project) -> None:
    """PostgreSQL 17 validates each foreign key of a partitioned table at once, 18 later."""
    parts = "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX ON p (a);\n"
    pending.write_up(TABLES, f"CREATE TABLE authors (id int PRIMARY KEY); {parts}")
    pending.write_down(TABLES, "DROP TABLE p; DROP TABLE authors;\n")
    pending.write_up(KEY, "-- Description: Key\n\nALTER TABLE p ADD FOREIGN KEY (a) REFERENCES authors (id);\n")
    pending.write_down(KEY, "ALTER TABLE p DROP CONSTRAINT p_a_fkey;\n")
    pending.inv("db.lint", "--write", f"--only={KEY}", env={"OLDEST_POSTGRES": "17"}, check=0)
    assert "20250102000001_validate_p_a_fkey_of_partitions" in {Path(name).stem for name in read_files(pending)}


def test_a_file_that_an_environment_has_applied_is_not_replaced(pending: Project, database: Database) -> None:
    pending.migrate("migrate", check=0)
    before = read_files(pending)
    result = pending.inv("db.lint", "--write", "--all", check=3)
    assert f"up/{KEY}.sql is applied in local" in result.stderr
    assert read_files(pending) == before


def test_a_file_without_a_safe_form_is_kept_and_counts_as_found(pending: Project) -> None:
    pending.write_up(LATER, "ALTER TABLE poems ADD COLUMN title text NOT NULL;\n")
    pending.write_down(LATER, "ALTER TABLE poems DROP COLUMN title;\n")
    before = (pending.migrations / "up" / f"{LATER}.sql").read_bytes()
    result = pending.inv("db.lint", "--write", check=4)
    assert f"up/{LATER}.sql is kept as it is: the value of title in the existing rows is not known" in result.stdout
    assert (pending.migrations / "up" / f"{LATER}.sql").read_bytes() == before
    assert (pending.migrations / "up" / "20250102000001_add_poems_author_id_fkey.sql").exists()


def test_a_file_whose_safe_form_does_not_prove_to_be_one_is_not_replaced(pending: Project) -> None:
    pending.write_up(LATER, "ALTER TABLE poems ADD COLUMN title text;\nCREATE INDEX poems_title ON poems (title);\n")
    pending.write_down(LATER, "DROP INDEX poems_title;\n")
    before = read_files(pending)
    result = pending.inv("db.lint", "--write", check=1)
    assert f"the safe migration for migrations/up/{LATER}.sql does not prove to be one" in result.stderr
    assert "does not undo its up" in result.stderr
    assert read_files(pending) == before


def test_a_file_that_another_environment_has_applied_is_not_replaced(tmp_path: Path, embedded: Server) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    with fresh_database(embedded) as local, fresh_database(embedded) as staging:
        checkout.write_env("", DATABASE_URL=local.url, SCRATCH_DATABASE_URL=embedded.url())
        checkout.write_env("staging", DATABASE_URL=staging.url)
        path = checkout.write_up(KEY, "CREATE TABLE poems (id int);\n")
        before = path.read_bytes()
        runner = MigrationRunner(staging.url, migrations_dir=checkout.root / "migrations", environment="staging")
        assert list(migrate(runner, MigrateGoal()))
        result = checkout.inv("db.lint", "--write", "--env=local,staging", check=3)
        assert f"up/{KEY}.sql is applied in staging, and an applied file must not change" in result.stderr
        assert path.read_bytes() == before
