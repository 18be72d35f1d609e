"""What reaches beyond a database is not done to the scratch server, or undone."""

from collections.abc import Iterator

import psycopg
import pytest

from tasks.rehearsal.model import Piece
from tasks.rehearsal.replay.replay import replay, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.own_servers import OwnServer
from tests.rehearsal.scratching import make_table

ROLE = Piece("role", "CREATE ROLE piece_reader;\nCREATE TABLE t (); GRANT SELECT ON t TO piece_reader;", shown="role.sql")
GUARDED = Piece(
    "guarded",
    "DO $$ BEGIN\nIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'piece_reader') THEN CREATE ROLE piece_reader; END IF;\n"
    "END $$;\nCREATE TABLE t (); GRANT SELECT ON t TO piece_reader;",
)
SKIPPED = [
    "CREATE DATABASE made_by_piece",
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
    """List the roles that are not the server's own."""
    with psycopg.connect(server.url()) as connection:
        query = "SELECT rolname::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres' ORDER BY 1"
        return [row[0] for row in connection.execute(query)]


@pytest.fixture
def meek(running: OwnServer) -> Iterator[None]:
    """Make a role that somebody else needs."""
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE meek")
        yield
        connection.execute("DROP ROLE meek")


@pytest.mark.usefixtures("meek")
@pytest.mark.parametrize("statement", SKIPPED)
def test_what_reaches_beyond_the_database_is_not_done_and_told(
    scratch: ScratchServer, running: OwnServer, statement: str
) -> None:
    (outcome,) = replay(scratch, [Piece("wide", f"CREATE TABLE a (id int);\n{statement};", shown="wide.sql")])
    assert outcome.error is None
    assert outcome.unchecked == (f"wide.sql:2 {statement}",)
    assert "public.a" in {key.name for key, _ in outcome.after.of_kind("table")}
    assert list_roles(running) == ["meek"]
    with psycopg.connect(running.url()) as connection:
        question = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'postgres'"
        assert connection.execute(question).fetchone() != ("spoilt",)
        assert connection.execute("SELECT FROM pg_roles WHERE rolconnlimit = 250").fetchall() == []
        assert connection.execute("SELECT FROM pg_db_role_setting").fetchall() == []
        assert connection.execute("SELECT FROM pg_database WHERE datname = 'made_by_piece'").fetchall() == []


@pytest.mark.parametrize("piece", [ROLE, GUARDED], ids=lambda piece: piece.name)
def test_a_role_that_a_piece_makes_goes_with_the_scratch_database(
    scratch: ScratchServer, running: OwnServer, piece: Piece
) -> None:
    for _ in range(2):
        (outcome,) = replay(scratch, [piece])
        assert (outcome.error, outcome.unchecked) == (None, ())
        assert list_roles(running) == []


def test_a_role_stays_as_long_as_a_kept_state_may_need_it(scratch: ScratchServer, running: OwnServer) -> None:
    for more in ([], [make_table("a")]):
        with state_after(scratch, [ROLE, *more]):
            pass
        assert list_roles(running) == ["piece_reader"]
    (outcome,) = replay(scratch, [ROLE])
    assert (outcome.error, outcome.unchecked) == (None, ())
    scratch.forget_states()
    assert list_roles(running) == []


@pytest.mark.usefixtures("meek")
def test_a_role_of_somebody_else_is_used_and_left_alone(scratch: ScratchServer, running: OwnServer) -> None:
    piece = Piece("role", "CREATE ROLE meek;\nCREATE TABLE t (); GRANT SELECT ON t TO meek;", shown="role.sql")
    (outcome,) = replay(scratch, [piece])
    assert outcome.error is None
    assert outcome.unchecked == ("role.sql:1 CREATE ROLE meek",)
    assert list_roles(running) == ["meek"]
