"""The server stops, or a session is terminated: the error describes the state, and the next run completes the same result."""

import os
import signal

import pytest

from tasks.postgres.server import cluster
from tasks.runner.events import Waiting
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.stress import running
from tests.stress.blocking import (
    BUILD_SLOW,
    CREATE_SLOW,
    PASS_GATE,
    await_waiting_at_gate,
    end_session,
    find_useless_indexes,
    gate_closed,
)

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
CASES = {
    "transaction": (
        f"CREATE TABLE others (id int);\n{PASS_GATE}",
        f"{SECOND} was rolled back completely. "
        "1 earlier migration of this run stays applied, or runs again if the server crashed.",
    ),
    "index": (
        f"CREATE TABLE others (id int);\n{BUILD_SLOW}",
        f"1 of 2 segments of {SECOND} is committed; the next run resumes after it. It is not known whether the statement on line "
        "2 took effect; the next run checks that. 1 earlier migration of this run stays applied.",
    ),
}


def end_server(server: OwnServer, mode: str) -> None:
    """Stop a server: fast ends its sessions in order, immediate ends its processes as if they had crashed."""
    if mode == "fast":
        server.stop()
        return
    pid = cluster.read_pid(server.cluster)
    assert pid is not None
    server.close()
    os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not cluster.is_postmaster(pid, server.cluster), what="the end of the server")


def assert_next_run_goes_on(project: Project, database: Database) -> None:
    running.start(project).succeed()
    assert database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(FIRST,), (SECOND,)]
    assert database.query("SELECT to_regclass('others') IS NOT NULL") == [(True,)]
    assert find_useless_indexes(database) == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
@pytest.mark.parametrize("case", CASES)
def test_a_server_stops_in_the_middle_of_a_statement(case: str, mode: str, project: Project, own_server: OwnServer) -> None:
    text, state = CASES[case]
    with fresh_database(own_server) as database:
        project = project.at(database.url)
        project.write_up(FIRST, CREATE_SLOW)
        project.write_up(SECOND, text)
        with gate_closed(database):
            run = running.start(project)
            await_waiting_at_gate(database)
            database.close()
            end_server(own_server, mode)
        error = run.fail()
        own_server.start()
        assert error.state == state
        assert error.hint.startswith("The connection to the server was lost. When it is back, run the same command again")
        assert error.line == 2
        if mode == "fast":
            assert error.message.startswith("terminating connection due to administrator command")
            assert error.sqlstate == "57P01"
        assert_next_run_goes_on(project, database)


def test_a_server_that_is_down_is_reported(project: Project, own_server: OwnServer) -> None:
    project.write_up(FIRST, "SELECT 1;")
    own_server.stop()
    error = running.start(project.at(own_server.url())).fail()
    assert error.message.startswith("cannot connect to postgres@")
    assert error.state == "Nothing was changed."


@pytest.mark.parametrize("case", CASES)
def test_the_session_that_works_is_ended(case: str, project: Project, database: Database) -> None:
    text, state = CASES[case]
    project.write_up(FIRST, CREATE_SLOW)
    project.write_up(SECOND, text)
    with gate_closed(database):
        run = running.start(project)
        await_waiting_at_gate(database)
        end_session(database, "migrate-run %")
        error = run.fail()
    assert error.message.startswith("terminating connection due to administrator command")
    assert error.state == state
    outcomes = database.query("SELECT outcome, left(error, 22) FROM schema_migrations_log WHERE version IS NULL ORDER BY id")
    assert outcomes == [("started", None), ("failed", "terminating connection")]
    assert_next_run_goes_on(project, database)


def test_after_a_rollback_whose_session_is_lost_the_next_step_is_status(project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.write_up(SECOND, "CREATE TABLE others (id int);")
    project.migrate(check=0)
    project.write_down(SECOND, "DROP TABLE others;")
    project.write_down(FIRST, f"DROP TABLE items; {PASS_GATE}")
    with gate_closed(database):
        run = running.start(project, "rollback", "--steps", "2")
        await_waiting_at_gate(database)
        end_session(database, "migrate-run %")
        error = run.fail()
    first, crash = f"The rollback of {FIRST} was undone completely.", "stays in effect, unless the server crashed."
    assert error.state == f"{first} 1 earlier rollback of this run {crash}"
    assert error.hint.endswith("check the current state first, because a rollback counts its steps from there: inv db.status")
    assert database.query("SELECT version FROM schema_migrations") == [(FIRST,)]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (CASES["transaction"][0], f"{SECOND} was rolled back completely. 1 earlier migration of this run stays applied."),
        CASES["index"],
        (
            f"{PASS_GATE}\nVACUUM items;\nCREATE TABLE others (id int);",
            f"{SECOND} was rolled back completely. 1 earlier migration of this run stays applied.",
        ),
    ],
)
def test_the_session_with_the_lock_is_ended(text: str, state: str, project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.write_up(SECOND, text)
    with gate_closed(database):
        run = running.start(project)
        await_waiting_at_gate(database)
        end_session(database, "migrate-lock %")
    error = run.fail()
    assert error.message.startswith("the session with the lock was ended: terminating connection due to administrator")
    assert error.state == state
    assert "Run the same command again" in error.hint
    assert database.query("SELECT version FROM schema_migrations") == [(FIRST,)]
    assert_next_run_goes_on(project, database)


def test_a_run_that_lost_its_lock_does_not_write_to_the_log(project: Project, database: Database) -> None:
    project.write_up(FIRST, f"{CREATE_SLOW}\n{BUILD_SLOW}\nCREATE TABLE others (id int);")
    with gate_closed(database):
        first = running.start(project)
        await_waiting_at_gate(database)
        end_session(database, "migrate-lock %")
        second = running.start(project)
        second.await_event(Waiting)
    assert first.fail().message.startswith("the session with the lock was ended")
    second.succeed()
    log = "SELECT outcome, segments_done FROM schema_migrations_log WHERE version IS NOT NULL ORDER BY id"
    assert database.query(log) == [("started", 0), ("started", 1), ("resumed", 1), ("started", 2), ("finished", 3)]
    project.migrate("status", "--check", check=0)
