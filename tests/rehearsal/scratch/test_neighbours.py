"""Other roles of a scratch server can neither prepare a state for us, nor be in our way, nor be disturbed by us."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch import cache, roles
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.rehearsal.neighbours import Neighbour, add_neighbour
from tests.rehearsal.scratching import list_databases, list_tables, make_table, read_runs
from tests.rehearsal.verifying import list_found, verify_migrations

A, B = (make_table(name) for name in "ab")
PLANTED = (
    "CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
    " EXECUTE 'ALTER ROLE sharing_low SUPERUSER'; RETURN pg_catalog.quote_ident($1::text); END $$",
    "CREATE TABLE public.planted ()",
)
IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = 'sharing_low'"


@pytest.fixture
def low(running: OwnServer) -> Iterator[Neighbour]:
    with add_neighbour(running, "sharing_low") as neighbour:
        yield neighbour


@pytest.fixture(params=["SUPERUSER", "CREATEDB"])
def ours(running: OwnServer, request: pytest.FixtureRequest) -> Iterator[Neighbour]:
    """Yield the role that rehearses: a superuser, and one that may only create databases."""
    with add_neighbour(running, "sharing_ours", request.param) as neighbour:
        yield neighbour


def name_state(role: Neighbour) -> str:
    with ScratchServer(role.url()) as server:
        return cache.name_states([A], server.version, server.state_key)[0]


def plant(low: Neighbour, name: str) -> None:
    """Create, as another role, a database under the name of the state after A, which every role may copy."""
    low.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    low.execute(*PLANTED, "CREATE TABLE a (id int)", database=name)
    for role in ("ALL", "sharing_low"):
        low.execute(f"ALTER ROLE {role} IN DATABASE {name} SET application_name = '{name}'")
    low.execute(
        f"COMMENT ON DATABASE {name} IS '2999-01-01T00:00:00.000000Z'",
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"ALTER DATABASE {name} IS_TEMPLATE true",
    )


def rehearse(role: Neighbour) -> dict[str, str]:
    """Create the state after A and B as a role, and return the ids of the runs of each."""
    with ScratchServer(role.url()) as server, state_after(server, [A, B]) as database:
        assert list_tables(database) == ["a", "b"]
        return read_runs(database)


def test_a_state_that_another_role_prepared_is_not_used_and_not_in_the_way(low: Neighbour, ours: Neighbour) -> None:
    name = name_state(ours)
    plant(low, name)
    with ScratchServer(ours.url()) as server, state_after(server, [A]) as database:
        assert list_tables(database) == ["a"]
        first = read_runs(database)
    again = rehearse(ours)
    assert again[A.name] == first[A.name]
    assert low.list_databases() == {name}
    with psycopg.connect(low.url()) as connection:
        assert connection.execute(IS_SUPERUSER).fetchone() == (False,)


def test_a_prepared_state_that_was_reassigned_to_us_is_not_used_and_dropped(
    running: OwnServer, low: Neighbour, ours: Neighbour
) -> None:
    name = name_state(ours)
    plant(low, name)
    low.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
    running.administer(sql.SQL("REASSIGN OWNED BY sharing_low TO sharing_ours").format())
    rehearse(ours)
    assert name not in ours.list_databases()
    with psycopg.connect(low.url()) as connection:
        assert connection.execute(IS_SUPERUSER).fetchone() == (False,)


@pytest.mark.parametrize(
    "change",
    [
        "DROP DATABASE {0}; CREATE DATABASE {0} TEMPLATE template0 ALLOW_CONNECTIONS false",
        "CREATE DATABASE copied TEMPLATE {0} ALLOW_CONNECTIONS false; DROP DATABASE {0}; ALTER DATABASE copied RENAME TO {0}",
        "ALTER DATABASE {0} ALLOW_CONNECTIONS true",
    ],
    ids=["created again", "copied", "opened"],
)
def test_a_database_that_took_the_place_of_a_state_or_was_opened_does_not_count(
    running: OwnServer, scratch: ScratchServer, change: str
) -> None:
    with state_after(scratch, [A]) as database:
        first = read_runs(database)
    (name,) = list_databases(running, "cache")
    for statement in change.format(name).split("; "):
        running.administer(sql.SQL(statement).format())
    with state_after(scratch, [A]) as database:
        assert list_tables(database) == ["a"]
        assert set(read_runs(database).values()).isdisjoint(first.values())


def test_a_state_that_another_role_replaces_before_it_is_copied_is_not_used(
    low: Neighbour, ours: Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScratchServer(ours.url()) as server:
        with state_after(server, [A]):
            (state,) = cache.read_cached(server.administer()).values()
        server.drop_states()
        plant(low, state.database)
        found = [(1, state)]
        find = cache.find_longest
        monkeypatch.setattr(cache, "find_longest", lambda *given: found.pop() if found else find(*given))
        with state_after(server, [A]) as database:
            assert list_tables(database) == ["a"]
    assert not found


def test_states_belong_to_a_role_and_are_dropped_only_by_it(running: OwnServer, ours: Neighbour) -> None:
    with add_neighbour(running, "sharing_other", "SUPERUSER") as other:
        theirs = rehearse(other)
        assert set(rehearse(ours).values()).isdisjoint(theirs.values())
        with ScratchServer(ours.url()) as server:
            server.drop_states()
        assert ours.list_databases() == set()
        assert rehearse(other) == theirs


def test_a_role_that_the_cached_state_of_another_role_needs_is_kept(running: OwnServer, scratch: ScratchServer) -> None:
    create = RehearsedMigration("create", "CREATE ROLE needed_by_another;")
    grant = RehearsedMigration("grant", "CREATE TABLE t (); GRANT SELECT ON t TO needed_by_another;")
    with add_neighbour(running, "sharing_other", "SUPERUSER") as other, ScratchServer(other.url()) as server:
        with state_after(server, [create]):
            pass
        scratch.drop_states()
        assert "needed_by_another" in roles.list_roles(server.administer())
        with state_after(server, [create, grant]):
            pass
        server.drop_states()


def test_the_states_of_a_renamed_role_count(running: OwnServer) -> None:
    with add_neighbour(running, "sharing_later") as later:
        before = Neighbour(running, "sharing_before")
        running.administer(sql.SQL("ALTER ROLE sharing_later RENAME TO sharing_before").format())
        first = rehearse(before)
        running.administer(sql.SQL("ALTER ROLE sharing_before RENAME TO sharing_later").format())
        assert rehearse(later) == first


def test_scratch_databases_of_other_roles_are_left_alone(low: Neighbour, ours: Neighbour) -> None:
    name = f"migrate_scratch_1_{7:016x}_1"
    low.execute(f"CREATE DATABASE {name} TEMPLATE template0 IS_TEMPLATE true")
    rehearse(ours)
    assert low.list_databases() == {name}


def test_a_session_of_another_role_does_not_keep_an_abandoned_database(low: Neighbour, ours: Neighbour) -> None:
    ours.execute(f"CREATE DATABASE migrate_scratch_1_{7:016x}_1 TEMPLATE template0")
    with psycopg.connect(low.url(), application_name=f"migrate-scratch {7:016x}", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7)")
        with ScratchServer(ours.url()):
            assert ours.list_databases() == set()


def test_another_role_cannot_connect_to_a_scratch_database(any_database: Database) -> None:
    """Until 14, every role that connects may create functions in the schema public, which a migration might then call."""
    with (
        add_neighbour(any_database.server, "sharing_guest", "") as guest,
        ScratchServer(any_database.server.url()) as server,
        server.make() as database,
        pytest.raises(psycopg.OperationalError, match="does not have CONNECT privilege"),
    ):
        psycopg.connect(guest.url(database.name))


def test_a_role_that_can_create_roles_and_databases_caches_states_on_every_version(any_database: Database) -> None:
    with (
        add_neighbour(any_database.server, "sharing_admin", "CREATEDB CREATEROLE") as admin,
        ScratchServer(admin.url()) as server,
    ):
        with state_after(server, [A]) as database:
            first = read_runs(database)
        assert len(admin.list_databases()) == 1
        with state_after(server, [A]) as database:
            assert read_runs(database) == first
        server.drop_states()


@pytest.mark.parametrize("attributes", ["CREATEDB", "SUPERUSER"])
def test_two_roles_verify_the_same_files_at_the_same_time(running: OwnServer, attributes: str) -> None:
    def verify(role: Neighbour) -> list[str]:
        with ScratchServer(role.url()) as server:
            return [found for each in verify_migrations(server, (A, B)) for found in list_found(each)]

    with add_neighbour(running, "sharing_one", attributes) as one, add_neighbour(running, "sharing_two", attributes) as two:
        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(verify, (one, two))) == [[], []]
        assert list_databases(running, "scratch") == set()
        assert all(role.list_databases() for role in (one, two))
