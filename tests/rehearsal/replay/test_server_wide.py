"""Statements that reach beyond their database are skipped on the scratch server, or undone."""

from collections.abc import Iterator

import psycopg
import pytest

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import replay, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.own_servers import OwnServer
from tests.rehearsal.scratching import make_table

ROLE = RehearsedMigration(
    "role", "CREATE ROLE test_reader;\nCREATE TABLE t (); GRANT SELECT ON t TO test_reader;", shown="role.sql"
)
GUARDED = RehearsedMigration(
    "guarded",
    "DO $$ BEGIN\nIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'test_reader') THEN CREATE ROLE test_reader; END IF;\n"
    "END $$;\nCREATE TABLE t (); GRANT SELECT ON t TO test_reader;",
)
SKIPPED = [
    "CREATE DATABASE made_by_migration",
    "ALTER DATABASE postgres SET work_mem = '1MB'",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "ALTER ROLE postgres CONNECTION LIMIT 250",
    "COMMENT ON DATABASE postgres IS 'spoilt'",
    "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
    "DROP ROLE IF EXISTS meek",
    "ALTER DATABASE postgres RENAME TO spoilt",
    "CREATE TABLESPACE spoilt LOCATION '/tmp'",
]


def list_roles(server: OwnServer) -> list[str]:
    """Return the roles other than the server's own and those that rehearsals log in as."""
    with psycopg.connect(server.url()) as connection:
        query = (
            "SELECT rolname::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'"
            " AND rolname NOT LIKE 'migrate\\_rehearsal\\_%' AND rolname <> 'postgres' ORDER BY 1"
        )
        return [row[0] for row in connection.execute(query)]


@pytest.fixture
def meek(running: OwnServer) -> Iterator[None]:
    """Create a role that is used elsewhere."""
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE meek")
        yield
        connection.execute("DROP ROLE meek")


@pytest.mark.usefixtures("meek")
@pytest.mark.parametrize("statement", SKIPPED)
def test_a_statement_that_reaches_beyond_the_database_is_skipped_and_reported(
    scratch: ScratchServer, running: OwnServer, statement: str
) -> None:
    (outcome,) = replay(scratch, [RehearsedMigration("wide", f"CREATE TABLE a (id int);\n{statement};", shown="wide.sql")])
    assert outcome.error is None
    assert outcome.unchecked == (f"wide.sql:2 {statement}",)
    assert "public.a" in {key.name for key, _ in outcome.after.of_kind("table")}
    assert list_roles(running) == ["meek"]
    with psycopg.connect(running.url()) as connection:
        question = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'postgres'"
        assert connection.execute(question).fetchone() != ("spoilt",)
        assert connection.execute("SELECT FROM pg_roles WHERE rolconnlimit = 250").fetchall() == []
        assert connection.execute("SELECT FROM pg_db_role_setting").fetchall() == []
        assert connection.execute("SELECT FROM pg_database WHERE datname = 'made_by_migration'").fetchall() == []


@pytest.mark.parametrize("migration", [ROLE, GUARDED], ids=lambda migration: migration.name)
def test_a_role_that_a_migration_creates_is_dropped_with_the_scratch_database(
    scratch: ScratchServer, running: OwnServer, migration: RehearsedMigration
) -> None:
    for _ in range(2):
        (outcome,) = replay(scratch, [migration])
        assert (outcome.error, outcome.unchecked) == (None, ())
        assert list_roles(running) == []


def test_a_role_is_kept_while_a_cached_state_may_need_it(scratch: ScratchServer, running: OwnServer) -> None:
    for more in ([], [make_table("a")]):
        with state_after(scratch, [ROLE, *more]):
            pass
        assert list_roles(running) == ["test_reader"]
    (outcome,) = replay(scratch, [ROLE])
    assert (outcome.error, outcome.unchecked) == (None, ())
    scratch.drop_states()
    assert list_roles(running) == []


@pytest.mark.usefixtures("meek")
def test_a_role_that_existed_before_is_used_and_not_dropped(scratch: ScratchServer, running: OwnServer) -> None:
    migration = RehearsedMigration("role", "CREATE ROLE meek;\nCREATE TABLE t (); GRANT SELECT ON t TO meek;", shown="role.sql")
    (outcome,) = replay(scratch, [migration])
    assert outcome.error is None
    assert outcome.unchecked == ("role.sql:1 CREATE ROLE meek",)
    assert list_roles(running) == ["meek"]
