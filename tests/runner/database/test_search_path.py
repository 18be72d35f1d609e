"""No command calls what another role created in a schema of the search_path: our own SQL resolves to pg_catalog."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tasks.console.script import main
from tasks.postgres.server.cluster import SUPERUSER
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.schema_file import NAME, SchemaFile
from tests.kit.databases import Database
from tests.kit.overloads import MARK, collect_names, compose_plants
from tests.kit.projects import Project, make_project
from tests.kit.relays import Relay, start_relay
from tests.runner.operating import A, B, C

D = "20250104000000_index"
FAILING = "20250105000000_fail"
COMMANDS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("probe",), 0),
    (("status",), 0),
    (("migrate", "--dry-run"), 0),
    (("load",), 3),
    (("migrate",), 1),
    (("status", "--check"), 4),
    (("history",), 0),
    (("catalog",), 0),
    (("queries",), 3),
    (("settle", "--version=0", "--agree=0"), 0),
    (("outcome", "--version=00000000-0000-0000-0000-000000000000"), 0),
    (("seed", "--dry-run"), 0),
    (("seed",), 0),
    (("adopt", "--version=0"), 3),
    (("rollback", "--dry-run", "--steps=3"), 0),
    (("rollback", "--steps=3"), 0),
    (("migrate", f"--to={B}"), 0),
    (("repair", "--dry-run"), 0),
    (("repair", "--yes"), 0),
    (("status",), 0),
)
"""What works on a database without others, and the exit code of each."""


@pytest.fixture
def low(any_database: Database) -> Iterator[str]:
    """Yield a role without privileges, except that it may create objects in public, and schemas."""
    role = f"low_{any_database.name}"
    any_database.execute(
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};"
        f"GRANT CREATE ON DATABASE {any_database.name} TO {role}"
    )
    yield role
    any_database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.fixture
def relay(any_database: Database, short_path: Path) -> Iterator[Relay]:
    """Yield a relay that records what the commands and the server send."""
    with start_relay(short_path / "relay", any_database) as relay:
        yield relay


@pytest.fixture
def project(tmp_path: Path, any_database: Database) -> Project:
    """Return a project with every kind of migration, of which the last one fails."""
    project = make_project(tmp_path / "project", any_database.url)
    project.write_up(A, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1);")
    project.write_up(B, "CREATE TABLE b (a_id int REFERENCES a);")
    project.write_up(C, "-- migrate: no-transaction\nSET search_path = public;\nCREATE TABLE c AS SELECT 1 AS id;")
    project.write_up(D, "CREATE INDEX CONCURRENTLY c_id ON c (id);")
    project.write_up(FAILING, "INSERT INTO b VALUES (7);")
    for version, text in ((A, "DROP TABLE a;"), (B, "DROP TABLE b;"), (C, "DROP TABLE c;"), (D, "DROP INDEX CONCURRENTLY c_id;")):
        project.write_down(version, text)
    project.write_seed("001_rows", "INSERT INTO a VALUES (2);")
    checksums = read_migrations(project.migrations).checksums
    (project.migrations / NAME).write_text(SchemaFile("CREATE TABLE a (id int);\n", checksums).write())
    return project


def run_commands(project: Project, url: str, *, ledger_owner: str = "") -> list[int]:
    """Run all commands, and return their exit codes."""
    environment = {
        "DATABASE_URL": url,
        "MIGRATIONS_DIR": str(project.migrations),
        "SEEDS_DIR": str(project.seeds),
        "LOCK_TIMEOUT": "100ms",
        "LEDGER_OWNER": ledger_owner,
    }
    return [main(arguments, environment, project.root) for arguments, _ in COMMANDS]


def empty(database: Database) -> None:
    """Drop what the commands created."""
    database.execute("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public; RESET ALL")


@pytest.mark.parametrize("path", ['"$user", public', '"$user", public, pg_catalog'])
def test_no_command_calls_what_another_role_created(
    path: str, project: Project, any_database: Database, low: str, relay: Relay
) -> None:
    expected = [code for _, code in COMMANDS]
    any_database.execute("CREATE TABLE other (id int)")
    assert run_commands(project, relay.url) == expected
    names = collect_names(relay.list_texts())
    empty(any_database)
    any_database.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {low}; CREATE TABLE other (id int)")
    with psycopg.connect(any_database.url, autocommit=True) as attacker:
        plants = {
            "public": compose_plants(attacker, names, "public", "IMMUTABLE"),
            SUPERUSER: compose_plants(attacker, names, SUPERUSER, "VOLATILE", most=4, families=1),
        }
        attacker.execute(sql.SQL("SET SESSION AUTHORIZATION {}; SET search_path = pg_catalog").format(sql.Identifier(low)))
        attacker.execute(f"CREATE SCHEMA {SUPERUSER}; GRANT USAGE ON SCHEMA {SUPERUSER} TO PUBLIC")
        for text in plants.values():
            attacker.execute(text.encode())
    any_database.execute(f"ALTER DATABASE {any_database.name} SET search_path = {path}")
    relay.received.clear()
    # Without that, all of them refuse to create a ledger in the schema of the other role.
    assert run_commands(project, relay.url, ledger_owner=low) == expected
    assert relay.received.count(MARK.encode()) == 0
    # The files of the project still run under the role's search_path.
    assert any_database.query("SELECT relnamespace::pg_catalog.regnamespace FROM pg_catalog.pg_class WHERE relname = 'a'") != []
