"""inv db.diagram, as a process on a real database and scratch server."""

import json
from pathlib import Path

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C

USERS = "CREATE TABLE users (id bigint PRIMARY KEY, email text);"
ORDERS = "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users);"


@pytest.fixture
def project(project: Project) -> Project:
    """Return a project with two applied migrations and a pending one."""
    project.write_up(A, USERS)
    project.write_up(B, ORDERS)
    project.migrate(check=0)
    project.write_up(C, "ALTER TABLE users ADD COLUMN phone text; CREATE TABLE notes (id int, user_id bigint REFERENCES users);")
    return project


def test_the_live_schema_is_drawn_with_the_changes_of_pending_migrations(project: Project, database: Database) -> None:
    database.execute("CREATE TABLE by_hand (id int)")
    result = project.inv("db.diagram", "--output=schema.md", check=0)
    assert result.stdout == (
        "✅ Wrote schema.md: 4 tables, 2 foreign keys\n   Marked: changes of 1 pending migration (tables: 1 new, 1 changed)\n"
    )
    text = (project.root / "schema.md").read_text()
    assert text.startswith(
        "## Tables and foreign keys\n\n4 tables, 2 foreign keys; 1 pending migration (tables: 1 new, 1 changed)\n\n```diff\n"
    )
    assert "+ column phone of public.users" in text
    assert 'text phone "+ new"' in text
    assert '"notes"["notes (+ new)"]' in text
    assert '    "by_hand" {' in text
    assert database.query("SELECT to_regclass('notes')") == [(None,)]


def test_without_pending_migrations_no_scratch_server_is_needed(project: Project) -> None:
    project.migrate(check=0)
    nowhere = {"SCRATCH_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    result = project.inv("db.diagram", "--output=schema.SVG", "--json", env=nowhere, check=0)
    written = json.loads(result.stdout)
    assert (written["kind"], written["tables"], written["foreign_keys"], written["pending"]) == ("diagram_written", 3, 2, [])
    assert (project.root / "schema.SVG").read_text().startswith("<svg ")


def test_without_a_database_the_files_are_drawn_without_marks(project: Project) -> None:
    result = project.inv("db.diagram", "--output=schema.md", env={"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, check=0)
    assert result.stdout == "✅ Wrote schema.md: 3 tables, 2 foreign keys\n"
    assert "(+ new)" not in (project.root / "schema.md").read_text()


def test_only_some_tables_or_only_what_changes_is_drawn(project: Project) -> None:
    result = project.inv("db.diagram", "--output=some.md", "--only=users,public.order*", check=0)
    assert result.stdout.startswith("✅ Wrote some.md: 2 tables, 1 foreign key\n")
    assert "2 of 3 tables, 1 foreign key" in (project.root / "some.md").read_text()
    project.inv("db.diagram", "--output=changed.md", "--changed", check=0)
    text = (project.root / "changed.md").read_text()
    assert '"orders" {\n        bigint id PK\n        bigint user_id FK\n    }' in text
    project.migrate(check=0)
    project.inv("db.diagram", "--output=changed.md", "--changed", check=0)
    assert "No pending migration changes a table." in (project.root / "changed.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message", "next_step"),
    [
        ((), "--output is missing", "--output schema.md"),
        (("--output=schema.png",), "--output=schema.png does not end in .md or .svg", "--output schema.svg"),
        (("--output=x.md", "--only=usres"), "no table matches --only usres", "Did you mean users?"),
        (("--output=x.md", "--timeout=soon"), "--timeout must be a whole number", "got soon"),
    ],
)
def test_wrong_usage_writes_nothing(project: Project, arguments: tuple[str, ...], message: str, next_step: str) -> None:
    result = project.inv("db.diagram", *arguments, check=2)
    assert message in result.stderr
    assert next_step in result.stderr
    assert not list(project.root.glob("*.md"))


def test_a_file_that_cannot_be_written_is_named(project: Project) -> None:
    assert (
        "nowhere/x.svg cannot be written: No such file or directory"
        in project.inv("db.diagram", "--output=nowhere/x.svg", check=1).stderr
    )
    (project.root / "link.md").symlink_to(Path("precious"))
    assert "link.md is a link to precious" in project.inv("db.diagram", "--output=link.md", check=3).stderr


def test_a_pending_migration_that_fails_is_named_and_what_exists_is_drawn(project: Project) -> None:
    project.write_up(C, "ALTER TABLE users ADD COLUMN id text;")
    result = project.inv("db.diagram", "--output=x.md", check=0)
    warning, *_ = result.stdout.splitlines()
    assert warning.startswith("⚠️  not drawn: the changes of pending migrations, because ")
    assert f"{C}.sql:1: " in warning
    assert 'column "id" of relation "users" already exists' in result.stdout
    assert "erDiagram" in (project.root / "x.md").read_text()


def test_only_the_changes_of_a_migration_that_fails_are_not_drawn(project: Project) -> None:
    project.write_up(C, "ALTER TABLE users ADD COLUMN id text;")
    result = project.inv("db.diagram", "--output=x.md", "--changed", check=1)
    assert C in result.stderr
    assert not (project.root / "x.md").exists()


def test_a_missing_file_of_an_applied_migration_comes_from_the_ledger(project: Project) -> None:
    (project.migrations / "up" / f"{B}.sql").unlink()
    result = project.inv("db.diagram", "--output=x.md", check=0)
    assert "3 tables, 2 foreign keys" in result.stdout
