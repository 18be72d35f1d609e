"""Tests of what the other tests stand on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.kit.databases import Database, ask
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.projects import REPOSITORY, Project


def run_python(code: str, *, check: bool) -> str:
    command = [sys.executable, "-u", "-c", code]
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=check).stdout.strip()


def test_a_database_is_empty(any_database: Database) -> None:
    assert any_database.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_a_server_of_ones_own_can_crash_and_come_back(own_server: OwnServer) -> None:
    own_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_server.url())
    own_server.start(work_mem="7MB")
    assert ask(own_server.url(), "SHOW work_mem") == "7MB"


def test_a_server_of_ones_own_can_be_configured(own_server: OwnServer) -> None:
    own_server.configure(default_transaction_read_only="on")
    with psycopg.connect(own_server.url()) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE t ()")


def test_a_server_of_ones_own_can_refuse_a_password(own_server: OwnServer) -> None:
    own_server.allow("local all all scram-sha-256")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(own_server.url())


def test_a_server_on_a_small_disk_runs_out_of_room(new_server: Callable[..., OwnServer]) -> None:
    server = new_server(disk_megabytes=64)
    server.start()
    with psycopg.connect(server.url()) as connection, pytest.raises(psycopg.errors.DiskFull):
        connection.execute("CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 100000)")


@pytest.mark.parametrize("pgbouncer", [1], indirect=True)
def test_sessions_of_the_pooler_share_its_backends(pgbouncer: Pooler) -> None:
    question = "SELECT pg_backend_pid()"
    assert ask(pgbouncer.url, question) == ask(pgbouncer.url, question)


def test_a_process_that_was_started_ends_with_its_test(project: Project) -> None:
    process = project.start("--help")
    project.end_processes()
    assert process.poll() is not None


def test_the_servers_of_a_killed_run_are_removed_by_the_next_one() -> None:
    killed = "from tests.kit import home, servers; from tasks.postgres.server.embedded import find_programs; import os;"
    killed += "place = home.make_home(); servers.start_server(place / 'one', find_programs()); print(place); os.abort()"
    following = "from tests.kit import home; home.remove_home(home.make_home())"
    left = Path(run_python(killed, check=False))
    assert (left / "one" / "data" / "postmaster.pid").exists()
    run_python(following, check=True)
    assert not left.exists()
