"""Adopting a database that is reached only through Fly: the local process compares the schema, the machine records the result."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import ENGINEER, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C

OLD_SCRIPT = """
CREATE TABLE schema_migrations (id serial PRIMARY KEY, migration_name varchar(255) UNIQUE NOT NULL, applied_at timestamp,
                                checksum varchar(64), execution_time_ms integer);
INSERT INTO schema_migrations (migration_name, applied_at) VALUES ('{version}.sql', '2025-08-01 10:00');
"""


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator on whose staging database the first two of three migrations were run by hand."""
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A, B, C)
        remote.deploy()
        database.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")
        yield remote


def adopt(remote: RemoteOperator, embedded: Server, *flags: str, check: int = 0) -> str:
    result = remote.inv("db.adopt", "--env=staging", *flags, SCRATCH_DATABASE_URL=embedded.url(), check=check)
    return result.stdout + result.stderr


def test_adopt_records_the_migrations_that_the_remote_database_has(remote: RemoteOperator, embedded: Server) -> None:
    assert "present" in adopt(remote, embedded)
    assert remote.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
    assert "Recorded 2 migrations as applied" in adopt(remote, embedded, "--apply", "--yes")
    assert remote.operator.read_states() == {A: "applied", B: "applied", C: "pending"}
    assert remote.operator.database.query("SELECT DISTINCT applied_by FROM schema_migrations") == [(f"adopted by {ENGINEER}",)]
    assert remote.operator.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("staging",)]


def test_adopt_takes_over_the_ledger_of_an_old_script(remote: RemoteOperator, embedded: Server) -> None:
    remote.operator.database.execute(OLD_SCRIPT.format(version=A))
    assert "schema_migrations_old" in adopt(remote, embedded, "--apply", "--yes")
    assert remote.operator.read_applied() == [A, B]
    assert remote.operator.database.query("SELECT migration_name FROM schema_migrations_old") == [(f"{A}.sql",)]


def test_adopt_writes_nothing_without_confirmation(remote: RemoteOperator, embedded: Server) -> None:
    assert "asks for confirmation, but the input is not a terminal" in adopt(remote, embedded, "--apply", check=3)
    assert remote.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
