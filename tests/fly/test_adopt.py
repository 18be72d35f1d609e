"""Adopting a database that only Fly leads to: its schema comes here, and what was agreed to is written there."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import ENGINEER, Far, work_far
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
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    """Give an engineer whose first two of three migrations were run on staging by hand."""
    with work_far(fly, project, database) as far:
        far.operator.write_tables(A, B, C)
        far.deploy()
        database.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")
        yield far


def adopt(far: Far, embedded: Server, *flags: str, check: int = 0) -> str:
    result = far.inv("db.adopt", "--env=staging", *flags, SCRATCH_DATABASE_URL=embedded.url(), check=check)
    return result.stdout + result.stderr


def test_what_is_there_is_recorded_there(far: Far, embedded: Server) -> None:
    assert "present" in adopt(far, embedded)
    assert far.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
    assert "Recorded 2 migrations as applied" in adopt(far, embedded, "--apply", "--yes")
    assert far.operator.read_states() == {A: "applied", B: "applied", C: "pending"}
    assert far.operator.database.query("SELECT DISTINCT applied_by FROM schema_migrations") == [(f"adopted by {ENGINEER}",)]
    assert far.operator.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("staging",)]


def test_the_record_of_an_old_script_is_taken_over_there(far: Far, embedded: Server) -> None:
    far.operator.database.execute(OLD_SCRIPT.format(version=A))
    assert "schema_migrations_old" in adopt(far, embedded, "--apply", "--yes")
    assert far.operator.read_applied() == [A, B]
    assert far.operator.database.query("SELECT migration_name FROM schema_migrations_old") == [(f"{A}.sql",)]


def test_without_an_answer_nothing_is_written(far: Far, embedded: Server) -> None:
    assert "asks for confirmation, but the input is not a terminal" in adopt(far, embedded, "--apply", check=3)
    assert far.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
