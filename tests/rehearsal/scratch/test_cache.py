"""States are kept by what led to them: what is kept does not run again, and what changed does."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from tasks.rehearsal.model import Piece
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
BROKEN = Piece("broken", "CREATE TABLE broken (id int); SELECT 1 / 0;")


def run(server: ScratchServer, *pieces: Piece) -> dict[str, str]:
    """Bring a scratch database to the state after the pieces, and give the run that ran each of them."""
    with state_after(server, pieces) as database:
        return read_runs(database)


def test_a_state_that_is_kept_does_not_run_again(scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    assert run(scratch, A, B) == first
    assert len(set(first.values())) == 1


def test_one_new_piece_is_all_that_runs_on_a_kept_state(scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    second = run(scratch, A, B, C)
    assert second == first | {C.name: second[C.name]}
    assert second[C.name] not in first.values()


def test_the_longest_beginning_that_is_kept_is_used(scratch: ScratchServer) -> None:
    one = run(scratch, A)
    two = run(scratch, A, B)
    other = run(scratch, A, C)
    assert one[A.name] == two[A.name] == other[A.name] != other[C.name]


@pytest.mark.parametrize(
    "changed",
    [replace(A, up=f"{A.up} -- changed"), replace(A, name="renamed")],
    ids=["another text", "another name"],
)
def test_a_changed_earlier_piece_runs_again_with_all_that_follow(scratch: ScratchServer, changed: Piece) -> None:
    first = run(scratch, A, B)
    again = run(scratch, changed, B)
    assert set(again) == {changed.name, B.name}
    assert set(first.values()).isdisjoint(again.values())


def test_another_order_is_another_state(scratch: ScratchServer) -> None:
    assert set(run(scratch, A, B).values()).isdisjoint(run(scratch, B, A).values())


def test_a_change_of_the_down_alone_changes_no_state(scratch: ScratchServer) -> None:
    assert run(scratch, A) == run(scratch, replace(A, down=None, shown="elsewhere/a.sql"))


def test_a_state_belongs_to_a_major_version_and_to_what_is_done_without() -> None:
    names = [name_states([A], *facts)[0] for facts in ((150004, ()), (150008, ()), (180000, ()), (150004, ("vector",)))]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_what_is_done_on_a_copy_does_not_reach_the_kept_state(scratch: ScratchServer) -> None:
    with state_after(scratch, [A]) as database, psycopg.connect(database.url) as connection:
        connection.execute("DROP TABLE a")
    with state_after(scratch, [A]) as database:
        assert list_tables(database) == ["a"]


def test_the_first_error_is_raised_and_the_state_before_it_is_kept(scratch: ScratchServer) -> None:
    first = run(scratch, A)
    with pytest.raises(RunnerError, match="division by zero"), state_after(scratch, [A, B, BROKEN, C]):
        pass
    mended = run(scratch, A, B, C)
    assert mended[A.name] == first[A.name]
    assert mended[B.name] != mended[C.name]


def test_a_state_whose_maker_was_killed_before_it_was_whole_is_never_used(running: OwnServer, scratch: ScratchServer) -> None:
    code = (
        "import os, signal; from tasks.rehearsal.scratch import cache; from tests.rehearsal.owning import own;"
        f" cache.keep = lambda *_: os.kill(os.getpid(), signal.SIGKILL); own({running.url()!r}, 'a')"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list_databases(running, "scratch")) == 2
    assert list_databases(running, "cache") == set()
    with state_after(scratch, [A]) as database:
        assert list_tables(database) == ["a"]
    assert list_databases(running, "cache") == set(name_states([A], scratch.version, ()))

    def is_swept() -> bool:
        scratch.sweep()
        return not list_databases(running, "scratch")

    wait_until(is_swept, what="the sweep")


def test_nobody_can_connect_to_a_kept_state_and_change_it(running: OwnServer, scratch: ScratchServer) -> None:
    run(scratch, A)
    (kept,) = list_databases(running, "cache")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(running.url(kept))


@pytest.fixture
def small(running: OwnServer) -> Iterator[ScratchServer]:
    """Give a scratch server that keeps two states."""
    with ScratchServer(running.url(), limits=CacheLimits(databases=2)) as server:
        yield server
        server.forget_states()


def test_the_state_that_was_not_used_for_longest_is_forgotten(running: OwnServer, small: ScratchServer) -> None:
    states = [name_states([piece], small.version, ())[0] for piece in (A, B, C)]
    for piece in (A, B, A, C):
        run(small, piece)
    assert list_databases(running, "cache") == {states[0], states[2]}


def test_the_size_of_what_is_kept_is_limited_too(running: OwnServer) -> None:
    with ScratchServer(running.url(), limits=CacheLimits(megabytes=1)) as server:
        run(server, A)
        assert list_databases(running, "cache") == set()


def test_a_state_that_is_forgotten_at_the_wrong_moment_is_made_again(running: OwnServer, scratch: ScratchServer) -> None:
    first = run(scratch, A, B)
    for state in list_databases(running, "cache"):
        running.administer(sql.SQL("DROP DATABASE {}").format(sql.Identifier(state)))
    again = run(scratch, A, B)
    assert set(first.values()).isdisjoint(again.values())


def test_processes_at_once_make_a_state_once_and_share_it(running: OwnServer, scratch: ScratchServer, start_owner: Start) -> None:
    owners = [start_owner("a", "b") for _ in range(3)]
    assert list_databases(running, "cache") == {name_states([A, B], scratch.version, ())[1]}
    with state_after(scratch, [A, B]) as database:
        assert query(database, "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')") == [(2,)]
    for process, _ in owners:
        process.communicate()
        assert process.returncode == 0
