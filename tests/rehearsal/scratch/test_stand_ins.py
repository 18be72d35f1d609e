"""A scratch server knows of which extensions its databases had a stand-in."""

import pytest

from tasks.catalog import compare, read_catalog
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import replay, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.servers import Server
from tests.rehearsal.scratching import make_table, query

IDS = RehearsedMigration(
    "ids",
    'CREATE EXTENSION "uuid-ossp"; CREATE TABLE t (id uuid DEFAULT uuid_generate_v4());',
    'DROP TABLE t; DROP EXTENSION "uuid-ossp";',
    "up/ids.sql",
)


def test_no_stand_in_is_reported_where_none_was_used(scratch: ScratchServer) -> None:
    text = "CREATE EXTENSION hstore; CREATE EXTENSION vector; CREATE FUNCTION digest(text) RETURNS text RETURN $1;"
    (outcome,) = replay(scratch, [RehearsedMigration("others", text, shown="up/others.sql")])
    assert outcome.error is None
    assert scratch.stand_ins == ()


@pytest.mark.parametrize("as_superuser", [False, True])
def test_a_stand_in_that_a_migration_created_is_reported(running: OwnServer, as_superuser: bool) -> None:
    with ScratchServer(running.url(), as_superuser=as_superuser) as server:
        (outcome,) = replay(server, [IDS])
        assert outcome.error is None
        assert server.stand_ins == ("uuid-ossp",)
        server.drop_states()


def test_a_stand_in_in_a_cached_state_is_reported(running: OwnServer) -> None:
    with ScratchServer(running.url()) as server, state_after(server, [IDS, make_table("a")]):
        pass
    with ScratchServer(running.url()) as server:
        with state_after(server, [IDS, make_table("a")]) as database:
            assert query(database, "SELECT count(uuid_generate_v4()) FROM generate_series(1, 3)") == [(3,)]
        assert server.stand_ins == ("uuid-ossp",)
        server.drop_states()


def test_a_state_is_not_used_again_when_a_stand_in_has_changed(scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scratch.state_key
    monkeypatch.setattr("tasks.postgres.server.embedded.sum_stand_ins", lambda: "another")
    assert scratch.state_key != before


def test_a_schema_with_a_stand_in_is_equal_to_one_with_the_extension(
    scratch: ScratchServer, older_server: Server, database: Database
) -> None:
    text = "CREATE EXTENSION pgcrypto; CREATE TABLE t (h bytea GENERATED ALWAYS AS (digest(n, 'sha1')) STORED, n text);"
    with fresh_database(older_server) as original:
        original.execute(text)
        expected = original.ask(read_catalog)
    database.execute(text)
    with connect(database.url, name="test") as connection:
        assert compare(expected, read_catalog(connection)).changes == ()
