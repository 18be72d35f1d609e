"""States are cached by the migrations that lead to them: cached ones do not run again, changed ones do."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.cache import CacheLimits, name_states
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tests.kit.own_servers import OwnServer
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import wait_until
from tests.rehearsal.conftest import Start
from tests.rehearsal.scratching import list_databases, list_tables, make_table, query, read_runs

A, B, C = (make_table(name) for name in "abc")
BROKEN = RehearsedMigration("broken", "CREATE TABLE broken (id int); SELECT 1 / 0;")


def run(server: ScratchServer, *migrations: RehearsedMigration) -> dict[str, str]:
    """Create a scratch database in the state after the migrations, and return the id of the run of each of them."""
    with state_after(server, migrations) as database:
        return read_runs(database)


def test_a_cached_state_does_not_run_again(scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    assert run(scratch, A, B) == first
    assert len(set(first.values())) == 1


def test_only_new_migrations_run_on_a_cached_state(scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    second = run(scratch, A, B, C)
    assert second == first | {C.name: second[C.name]}
    assert second[C.name] not in first.values()


def test_the_longest_cached_prefix_is_used(scratch: ScratchServer) -> None:
    one = run(scratch, A)
    two = run(scratch, A, B)
    other = run(scratch, A, C)
    assert one[A.name] == two[A.name] == other[A.name] != other[C.name]


@pytest.mark.parametrize(
    "changed",
    [replace(A, up=f"{A.up} -- changed"), replace(A, name="renamed")],
    ids=["another text", "another name"],
)
def test_a_changed_earlier_migration_runs_again_with_all_that_follow(scratch: ScratchServer, changed: RehearsedMigration) -> None:
    first = run(scratch, A, B)
    again = run(scratch, changed, B)
    assert set(again) == {changed.name, B.name}
    assert set(first.values()).isdisjoint(again.values())


def test_a_role_that_a_cached_state_needs_is_kept(scratch: ScratchServer) -> None:
    role = RehearsedMigration("role", "CREATE ROLE needed_by_a_cached_state;")
    grant = RehearsedMigration("zgrant", "CREATE TABLE t (); GRANT SELECT ON t TO needed_by_a_cached_state;")
    find = "SELECT FROM pg_roles WHERE rolname = 'needed_by_a_cached_state'"
    with state_after(scratch, [role]):
        pass
    assert scratch.administer().execute(find).fetchone() is not None
    with state_after(scratch, [role, grant]):
        pass
    scratch.drop_states()
    assert scratch.administer().execute(find).fetchone() is None


def test_another_order_is_another_state(scratch: ScratchServer) -> None:
    assert set(run(scratch, A, B).values()).isdisjoint(run(scratch, B, A).values())


def test_a_change_of_the_down_alone_changes_no_state(scratch: ScratchServer) -> None:
    assert run(scratch, A) == run(scratch, replace(A, down=None, shown="elsewhere/a.sql"))


def test_a_state_belongs_to_a_major_version_and_to_the_excluded_extensions() -> None:
    names = [name_states([A], *facts)[0] for facts in ((150004, ()), (150008, ()), (180000, ()), (150004, ("vector",)))]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_changes_in_a_copy_do_not_affect_the_cached_state(scratch: ScratchServer) -> None:
    with state_after(scratch, [A]) as database, psycopg.connect(database.url) as connection:
        connection.execute("DROP TABLE a")
    with state_after(scratch, [A]) as database:
        assert list_tables(database) == ["a"]


def test_the_first_error_is_raised_and_the_state_before_it_is_cached(scratch: ScratchServer) -> None:
    first = run(scratch, A)
    with pytest.raises(RunnerError, match="division by zero"), state_after(scratch, [A, B, BROKEN, C]):
        pass
    fixed = run(scratch, A, B, C)
    assert fixed[A.name] == first[A.name]
    assert fixed[B.name] != fixed[C.name]


def test_an_incomplete_state_of_a_killed_process_is_never_used(running: OwnServer, scratch: ScratchServer) -> None:
    code = (
        "import os, signal; from tasks.rehearsal.scratch import cache; from tests.rehearsal.owning import own;"
        f" cache.store = lambda *_: os.kill(os.getpid(), signal.SIGKILL); own({running.url()!r}, 'a')"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list_databases(running, "scratch")) == 2
    assert list_databases(running, "cache") == set()
    with state_after(scratch, [A]) as database:
        assert list_tables(database) == ["a"]
    assert list_databases(running, "cache") == set(name_states([A], scratch.version, scratch.state_key))

    def is_swept() -> bool:
        scratch.sweep()
        return not list_databases(running, "scratch")

    wait_until(is_swept, what="the sweep")


def test_connections_to_a_cached_state_are_not_allowed(running: OwnServer, scratch: ScratchServer) -> None:
    run(scratch, A)
    (cached,) = list_databases(running, "cache")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(running.url(cached))


@pytest.fixture
def small(running: OwnServer) -> Iterator[ScratchServer]:
    """Yield a scratch server that caches two states."""
    with ScratchServer(running.url(), limits=CacheLimits(databases=2)) as server:
        yield server
        server.drop_states()


def test_the_least_recently_used_state_is_dropped(running: OwnServer, small: ScratchServer) -> None:
    states = [name_states([migration], small.version, small.state_key)[0] for migration in (A, B, C)]
    for migration in (A, B, A, C):
        run(small, migration)
    assert list_databases(running, "cache") == {states[0], states[2]}


def test_the_size_of_the_cache_is_limited(running: OwnServer) -> None:
    with ScratchServer(running.url(), limits=CacheLimits(megabytes=1)) as server:
        run(server, A)
        assert list_databases(running, "cache") == set()


def test_a_state_that_was_dropped_is_created_again(running: OwnServer, scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    for state in list_databases(running, "cache"):
        running.administer(sql.SQL("DROP DATABASE {}").format(sql.Identifier(state)))
    again = run(scratch, A, B)
    assert set(first.values()).isdisjoint(again.values())


def test_concurrent_processes_have_states_of_their_own(running: OwnServer, scratch: ScratchServer, start_owner: Start) -> None:
    owners = [start_owner("a", "b") for _ in range(3)]
    assert len(list_databases(running, "cache")) == len(owners)
    with state_after(scratch, [A, B]) as database:
        assert query(database, "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')") == [(2,)]
    for process, _ in owners:
        process.communicate()
        assert process.returncode == 0
