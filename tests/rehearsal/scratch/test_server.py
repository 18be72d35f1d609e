"""Scratch databases are created and dropped, whatever happens to their owner."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import embedded as embedded_server
from tasks.postgres.server.cluster import Cluster
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch.opening import check_version, open_server
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S, wait_until
from tests.rehearsal.conftest import Start
from tests.rehearsal.scratching import list_databases, list_tables, query

NOWHERE = Path("/nonexistent/folder")


def test_a_scratch_database_is_empty_and_dropped_at_the_end(scratch: ScratchServer, running: OwnServer) -> None:
    with scratch.make() as database:
        assert list_tables(database) == []
        assert list_databases(running, "scratch") == {database.name}
        assert len(database.name) <= 63
    assert list_databases(running, "scratch") == set()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_dropped_when_its_use_ends_in_an_exception(
    scratch: ScratchServer, running: OwnServer, error: type[BaseException]
) -> None:
    with pytest.raises(error), scratch.make():
        raise error
    assert list_databases(running, "scratch") == set()


def test_it_is_dropped_together_with_the_sessions_in_it(scratch: ScratchServer, running: OwnServer) -> None:
    with scratch.make() as database, psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE a ()")
        connection.commit()
        scratch.administer().close()
    assert list_databases(running, "scratch") == set()


def test_it_is_dropped_if_a_migration_made_it_a_template(scratch: ScratchServer, running: OwnServer) -> None:
    with scratch.make() as database, psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} IS_TEMPLATE true".encode())
    assert list_databases(running, "scratch") == set()


def test_a_copy_has_the_contents_of_its_template(scratch: ScratchServer) -> None:
    with scratch.make() as first:
        with psycopg.connect(first.url) as connection:
            connection.execute("CREATE TABLE a ()")
        with scratch.make(first.name) as second:
            assert list_tables(second) == ["a"]


def test_the_reason_is_reported_if_a_database_cannot_be_created(scratch: ScratchServer) -> None:
    with pytest.raises(ScratchError, match='template database "nowhere" does not exist'), scratch.make("nowhere"):
        pass


def test_databases_of_a_killed_process_are_dropped_on_the_next_use(running: OwnServer, start_owner: Start) -> None:
    process, name = start_owner()
    assert name in list_databases(running, "scratch")
    process.kill()
    process.wait()

    def is_swept() -> bool:
        with ScratchServer(running.url()):
            return name not in list_databases(running, "scratch")

    wait_until(is_swept, what="the sweep")


def test_databases_of_a_living_process_are_not_dropped(running: OwnServer, start_owner: Start) -> None:
    _, living = start_owner("a")
    dead, left = start_owner("a")
    dead.kill()
    dead.wait()

    def is_swept() -> bool:
        with ScratchServer(running.url()):
            return left not in list_databases(running, "scratch")

    wait_until(is_swept, what="the sweep")
    assert living in list_databases(running, "scratch")
    with psycopg.connect(running.url(living)) as connection:
        connection.execute("TABLE a")


def test_other_databases_with_similar_names_are_not_dropped(running: OwnServer) -> None:
    names = ("migrate_scratch_notes", "migrate_scratch_1_2_3")
    with psycopg.connect(running.url(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            with ScratchServer(running.url()):
                assert list_databases(running, "scratch") == set(names)
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE {name}".encode())


def test_an_interrupted_process_drops_its_databases(running: OwnServer, start_owner: Start) -> None:
    process, name = start_owner("a")
    assert name in list_databases(running, "scratch")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert name not in list_databases(running, "scratch")


def test_a_process_interrupted_in_a_statement_drops_its_databases(running: OwnServer) -> None:
    code = (
        "from tests.rehearsal.owning import *; from tasks.rehearsal.replay.replay import *\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "slow = RehearsedMigration('slow', 'SELECT pg_sleep(600)')\n"
        f"with ScratchServer({running.url()!r}) as server: list(replay(server, [slow]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    with psycopg.connect(running.url(), autocommit=True) as connection:
        sleeping = "SELECT datname FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
        rows = wait_until(lambda: connection.execute(sleeping).fetchall(), what="the statement")
    name = rows[0][0]
    assert name in list_databases(running, "scratch")
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=LIMIT_S)[1]
    assert name not in list_databases(running, "scratch")


def test_concurrent_processes_do_not_disturb_each_other(running: OwnServer, start_owner: Start, scratch: ScratchServer) -> None:
    owners = [start_owner("a", "b") for _ in range(3)]
    names = {name for _, name in owners}
    assert len(names) == 3
    assert names <= list_databases(running, "scratch")
    for process, _ in owners:
        process.communicate()
        assert process.returncode == 0
    assert names.isdisjoint(list_databases(running, "scratch"))


def test_an_owner_whose_session_was_terminated_reconnects(scratch: ScratchServer, running: OwnServer) -> None:
    with scratch.make() as database:
        with psycopg.connect(running.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'migrate-scratch %'"
            )
        with scratch.make():
            scratch.sweep()
            assert query(database, "SELECT 1") == [(1,)]


def test_the_targets_own_database_is_refused(running: OwnServer) -> None:
    url = running.url("app")
    with pytest.raises(RefusedError, match="is the target database itself") as refused:
        open_server(url, embedded_directory=NOWHERE, target_url=url.replace("port=5432", "connect_timeout=3&port=5432"))
    assert refused.value.exit_code == 3


def test_another_database_on_the_targets_server_is_accepted(running: OwnServer) -> None:
    with open_server(running.url(), embedded_directory=NOWHERE, target_url=running.url("app"), without=["vector"]) as server:
        assert (server.without, server.embedded, server.version // 10000) == (("vector",), False, 18)


def test_without_a_setting_the_embedded_server_is_used(embedded: Cluster, template: Cluster, short_path: Path) -> None:
    directory = short_path / "embedded"
    try:
        with open_server("", embedded_directory=directory, target_url=embedded_server.start(directory)) as server:
            assert server.embedded
            with server.make() as database:
                assert list_tables(database) == []
    finally:
        embedded_server.stop(directory)


def test_an_embedded_server_that_cannot_start_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ScratchError, match="cannot use the scratch server") as failed:
        open_server("", embedded_directory=tmp_path / "file" / "below")
    assert "SCRATCH_DATABASE_URL" in failed.value.hint
    assert failed.value.exit_code == 1


def test_a_refused_connection_names_the_setting_and_no_password() -> None:
    with pytest.raises(
        ScratchError, match="cannot use the scratch server: cannot connect to somebody@localhost:1/postgres"
    ) as failed:
        open_server("postgresql://somebody:hunter2secret@localhost:1/postgres", embedded_directory=NOWHERE)
    assert "SCRATCH_DATABASE_URL" in failed.value.hint
    assert "hunter2secret" not in f"{failed.value.message} {failed.value.hint}"
    assert failed.value.exit_code == 1


def test_a_connection_pooler_is_refused(pgbouncer: Pooler) -> None:
    with pytest.raises(ScratchError, match="is a connection pooler"):
        ScratchServer(pgbouncer.url)


def test_a_role_that_may_not_create_databases_gets_a_hint(running: OwnServer) -> None:
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE meek LOGIN")
        try:
            with (
                ScratchServer(running.url().replace("postgres@", "meek@")) as server,
                pytest.raises(ScratchError, match="permission denied") as failed,
                server.make(),
            ):
                pass
        finally:
            connection.execute("DROP ROLE meek")
    assert "CREATEDB" in failed.value.hint


def test_an_older_scratch_server_is_refused_and_a_newer_one_is_not(scratch: ScratchServer) -> None:
    check_version(scratch, scratch.version - 30000)
    check_version(scratch, scratch.version + 5)
    with pytest.raises(RefusedError, match=r"the scratch server \(PostgreSQL 18\) is older than the target \(PostgreSQL 19\)"):
        check_version(scratch, scratch.version + 10000)


def test_scratch_databases_work_on_every_available_server(any_database: Database) -> None:
    with ScratchServer(any_database.server.url()) as server, server.make() as database:
        assert query(database, "SELECT current_database()") == [(database.name,)]
