"""A server that is older than the oldest supported version is refused by every command."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from invoke.collection import Collection

from tasks import db
from tasks.runner.files.schema_file import NAME, SchemaFile
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.relays import Relay, start_relay

OLD = "13.2"
VERSION = "20250101000000_create_accounts"
COMMANDS = {
    "adopt": (),
    "blockers": (),
    "compat": (),
    "create": (),
    "diagram": ("--output=schema.md",),
    "drift": (),
    "drop": ("--yes",),
    "dump": (),
    "history": (),
    "lint": ("--env=local",),
    "load": (),
    "mark": (VERSION, "--yes"),
    "migrate": ("--yes",),
    "plan": (),
    "redo": (),
    "repair": (),
    "reset": ("--yes",),
    "rollback": ("--yes",),
    "seed": ("--yes",),
    "status": (),
    "test-crash": (),
    "verify": (),
    "wait": (),
}
WITHOUT_A_DATABASE = {
    "check-models",
    "check-order",
    "cleanup-legacy",
    "import-alembic",
    "new",
    "psql",
    "restore",
    "schema",
    "squash",
    "start",
    "stop",
    "url",
}
"""Commands that use the checkout, a scratch server, the embedded server or psql only, or that need a file first."""
SCRATCH = (
    ("diagram", "--output=x.md"),
    ("schema",),
    ("verify", "--all"),
    ("test-crash", "--all"),
    ("squash", VERSION),
    ("cleanup-legacy",),
)


@pytest.fixture
def relay(short_path: Path, database: Database) -> Iterator[Relay]:
    """Yield a relay in front of a server that reports an old version."""
    with start_relay(short_path / "old", database, version=OLD) as relay:
        yield relay


@pytest.fixture
def project(project: Project, relay: Relay) -> Project:
    """Return a project with a migration and a schema file, whose database is reached through the relay."""
    up = project.write_up(VERSION, "CREATE TABLE accounts (id int PRIMARY KEY);")
    project.write_down(VERSION, "DROP TABLE accounts;")
    (project.migrations / NAME).write_text(SchemaFile("", {VERSION: sha256(up.read_bytes()).hexdigest()}).write())
    return project.at(relay.url)


def test_the_list_of_commands_is_complete() -> None:
    assert {name.replace("_", "-") for name in Collection.from_module(db).task_names} == COMMANDS.keys() | WITHOUT_A_DATABASE


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_an_old_server(project: Project, database: Database, command: str) -> None:
    result = project.inv(f"db.{command}", *COMMANDS[command], check=3)
    assert "is PostgreSQL 13; PostgreSQL 14 is the oldest supported version" in result.stderr
    assert "Upgrade the server: https://www.postgresql.org/docs/current/upgrading.html" in result.stderr
    assert database.query("SELECT FROM pg_tables WHERE schemaname = 'public'") == []


@pytest.mark.parametrize("command", ["migrate", "status", "rollback", "history", "seed", "repair", "load"])
def test_the_script_refuses_an_old_server(project: Project, command: str) -> None:
    result = project.migrate(command, check=3)
    assert "is PostgreSQL 13; PostgreSQL 14 is the oldest supported version" in result.stderr


@pytest.mark.parametrize("arguments", SCRATCH, ids=lambda arguments: arguments[0])
def test_an_old_scratch_server_is_refused(project: Project, database: Database, relay: Relay, arguments: tuple[str, ...]) -> None:
    result = project.at(database.url).inv(
        f"db.{arguments[0]}", *arguments[1:], env={"SCRATCH_DATABASE_URL": relay.url_of("postgres")}, check=3
    )
    assert "is PostgreSQL 13; PostgreSQL 14 is the oldest supported version" in result.stderr


def test_the_check_of_an_environment_shows_that_the_server_is_too_old(project: Project) -> None:
    result = project.inv("env.check", check=4)
    assert "is PostgreSQL 13; PostgreSQL 14 is the oldest supported version" in result.stdout


def test_the_overview_of_all_environments_shows_that_a_server_is_too_old(project: Project, relay: Relay) -> None:
    (project.root / ".env.staging").write_text(f"DATABASE_URL={relay.url}\n")
    result = project.inv("db.status", "--env=local,staging")
    assert "is PostgreSQL 13; PostgreSQL 14 is the oldest supported version" in result.stdout + result.stderr
