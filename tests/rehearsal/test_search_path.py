"""Nothing that a rehearsed migration creates is called by the queries of the rehearsal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.squash.varying import find_varying
from tests.kit.databases import Database
from tests.kit.overloads import MARK, collect_names, compose_plants
from tests.kit.relays import Relay, start_relay
from tests.rehearsal.verifying import make_migrations, verify_migrations

TABLES = (
    "CREATE TABLE a (id int PRIMARY KEY, how int CHECK (how > 3)); CREATE TABLE b (a_id int REFERENCES a);",
    "DROP TABLE b; DROP TABLE a;",
)
PATH = "EXECUTE pg_catalog.format('ALTER DATABASE %I SET search_path = public, pg_catalog', pg_catalog.current_database());"


@pytest.fixture
def relay(database: Database, short_path: Path) -> Iterator[Relay]:
    """Yield a relay that records what the rehearsals and the server send."""
    with start_relay(short_path / "relay", database) as relay:
        yield relay


def rehearse(relay: Relay, migrations: tuple[RehearsedMigration, ...]) -> None:
    """Verify the migrations with rows, and compare their replays; nothing is found."""
    with ScratchServer(relay.url_of("postgres")) as server:
        (verified,) = verify_migrations(server, migrations, with_data=True)
        assert verified.findings == ()
        assert find_varying(server, migrations).others == ()
        server.drop_states()


def test_no_rehearsal_calls_what_a_migration_created(database: Database, relay: Relay) -> None:
    rehearse(relay, make_migrations(TABLES))
    names = collect_names(relay.list_texts())
    plants = database.ask(lambda connection: compose_plants(connection, names, "public", "IMMUTABLE", most=2, families=1))
    relay.received.clear()
    rehearse(relay, make_migrations((f"DO $plant$ BEGIN {PATH} EXECUTE $all$ {plants} $all$; END $plant$;", None), TABLES))
    assert relay.received.count(MARK.encode()) == 0
