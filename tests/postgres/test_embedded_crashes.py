import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import cluster
from tasks.postgres.server.accounts import find_owner
from tasks.postgres.server.embedded import find_running, find_server, start, stop
from tests.kit.databases import ask
from tests.kit.servers import FAST_SETTINGS
from tests.kit.waiting import wait_until


def kill_server(directory: Path) -> None:
    server = find_server(directory)
    pid = cluster.read_pid(server)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not cluster.is_ready(server), what="the end of the killed server")


def test_after_a_crash_the_server_starts_again_with_its_data(directory: Path) -> None:
    with psycopg.connect(start(directory)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill_server(directory)
    assert find_running(directory) is None
    assert ask(start(directory), "SELECT answer FROM kept") == 42


def reuse_pid(directory: Path, pid: int) -> None:
    """Write the id of another process to the lock files, as if it had been reused."""
    server = find_server(directory)
    for file in (server.data / "postmaster.pid", server.socket.with_name(f"{server.socket.name}.lock")):
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(pid), *lines[1:]]) + "\n")


def test_a_crashed_server_starts_again_after_its_last_backend_exited(directory: Path, short_path: Path) -> None:
    busy = "DO $$BEGIN WHILE pg_stat_file(%s, true) IS NULL LOOP END LOOP; END$$"
    signal_file = short_path / "end"
    with psycopg.connect(start(directory), autocommit=True) as session, ThreadPoolExecutor() as pool:
        pool.submit(session.execute, psycopg.sql.SQL(busy % f"'{signal_file}'"))
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active'"
        wait_until(lambda: ask(find_server(directory).url("postgres"), query), what="the busy backend")
        kill_server(directory)
        restart = pool.submit(start, directory)
        log = find_server(directory).log
        try:
            wait_until(lambda: "shared memory block" in log.read_text(), what="the first attempt to start")
        finally:
            signal_file.touch()
        assert ask(restart.result(), "SELECT 1") == 1


def test_starting_waits_for_a_server_that_is_still_recovering(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start(directory)
    lock_file = find_server(directory).data / "postmaster.pid"
    ready = lock_file.read_text()
    lock_file.write_text(ready.replace("ready   ", "starting"))
    assert find_running(directory) is None
    # Recovery ends while the start is waiting.
    monkeypatch.setattr(time, "sleep", lambda _: lock_file.write_text(ready))
    assert start(directory) == url
    assert lock_file.read_text() == ready


@pytest.mark.parametrize("place", ["project", "/".join(["long"] * 30)], ids=["lock in data", "lock in /tmp"])
def test_a_process_with_the_pid_of_the_crashed_server_does_not_block_the_start(
    place: str, new_directory: Callable[..., Path]
) -> None:
    directory = new_directory(place)
    start(directory)
    kill_server(directory)
    account = find_owner(directory / "data")
    drop = {} if account is None else account.subprocess_arguments()
    with subprocess.Popen(["sleep", "600"], **drop) as bystander:
        reuse_pid(directory, bystander.pid)
        try:
            assert ask(start(directory), "SELECT 1") == 1
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_another_server_with_the_pid_of_the_crashed_one_does_not_block_the_start(
    new_directory: Callable[..., Path],
) -> None:
    directory, elsewhere = new_directory("project"), new_directory("elsewhere")
    start(directory)
    start(elsewhere)
    kill_server(directory)
    bystander = cluster.read_pid(find_server(elsewhere))
    assert bystander is not None
    reuse_pid(directory, bystander)
    assert not stop(directory)
    assert ask(start(directory), "SELECT 1") == 1
    assert find_running(elsewhere)


def test_what_a_killed_initdb_left_behind_is_replaced(empty: Path) -> None:
    unfinished = empty / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert ask(start(empty, FAST_SETTINGS), "SELECT 1") == 1
    assert not unfinished.exists()
