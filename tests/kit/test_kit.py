"""Tests of the servers, databases and projects of the kit."""

from collections.abc import Callable

import psycopg
import pytest

from tests.kit.databases import Database, ask
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.projects import Project


def test_a_database_is_empty(any_database: Database) -> None:
    assert any_database.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_an_own_server_can_crash_and_be_started_again(own_server: OwnServer) -> None:
    own_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_server.url())
    own_server.start(work_mem="7MB")
    assert ask(own_server.url(), "SHOW work_mem") == "7MB"


def test_an_own_server_can_be_configured(own_server: OwnServer) -> None:
    own_server.configure(default_transaction_read_only="on")
    with psycopg.connect(own_server.url()) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE t ()")


def test_an_own_server_can_ask_for_a_password(own_server: OwnServer) -> None:
    own_server.allow("local all all scram-sha-256")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(own_server.url())


def test_a_server_on_a_small_disk_runs_out_of_space(new_server: Callable[..., OwnServer]) -> None:
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
