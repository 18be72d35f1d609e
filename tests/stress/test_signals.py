"""SIGINT and SIGTERM: the run is rolled back and logged, the lock is released, and the error describes the state."""

import signal
from pathlib import Path

import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.events import HeldBack, LockAwaited, StatementStarted, StepFinished, Waiting
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.processes import freeze, thaw
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.stress import running
from tests.stress.blocking import (
    BUILD_SLOW,
    CREATE_SLOW,
    PASS_GATE,
    await_age,
    await_waiting_at_gate,
    find_useless_indexes,
    gate_closed,
)

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


def read_log(database: Database) -> list[tuple[str, str]]:
    """Return version and outcome of each row of the log, oldest first; the rows of the run itself have no version."""
    return database.query("SELECT coalesce(version, ''), outcome FROM schema_migrations_log ORDER BY id")


def is_asked_to_cancel(backend: int) -> bool:
    """Return True if a stopped backend has the pending signal with which PostgreSQL cancels a statement."""
    lines = Path(f"/proc/{backend}/status").read_text().splitlines()
    pending = next(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd:"))
    return bool(pending & 1 << signal.SIGINT - 1)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_transaction_is_rolled_back(number: signal.Signals, project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.write_up(SECOND, f"CREATE TABLE others (id int);\n{PASS_GATE}")
    with gate_closed(database):
        run = running.start(project)
        await_waiting_at_gate(database)
        run.send(number)
        error = run.fail()
        assert error.message == f"stopped by {SIGNALS[number]}"
        assert error.state == f"{SECOND} was rolled back completely. 1 earlier migration of this run stays applied."
        assert "Run the same command again" in error.hint
    assert database.query("SELECT to_regclass('others')") == [(None,)]
    assert read_log(database) == [("", "started"), (FIRST, "finished"), (SECOND, "failed"), ("", "failed")]
    following = running.start(project).succeed()
    assert [event.version for event in following.pick(StepFinished)] == [SECOND]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_half_built_index_is_dropped(number: signal.Signals, project: Project, database: Database) -> None:
    project.write_up(FIRST, f"{CREATE_SLOW}\n{BUILD_SLOW}")
    with gate_closed(database):
        run = running.start(project)
        await_waiting_at_gate(database)
        run.send(number)
        error = run.fail()
    assert error.message == f"stopped by {SIGNALS[number]}"
    assert error.state.startswith(f"1 of 2 segments of {FIRST} is committed; the next run resumes after it.")
    assert "public.items_slow" in error.state
    assert "was dropped" in error.state
    assert database.query("SELECT to_regclass('items_slow')") == [(None,)]
    assert read_log(database)[-2:] == [(FIRST, "failed"), ("", "failed")]
    running.start(project).succeed()
    assert find_useless_indexes(database) == []


def test_an_index_that_cannot_be_dropped_is_reported_and_dropped_by_the_next_run(project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.migrate(check=0)
    project.write_up(SECOND, BUILD_SLOW)
    with database.connect(autocommit=False) as reader:
        with gate_closed(database):
            run = running.start(project, LOCK_TIMEOUT="50ms")
            await_waiting_at_gate(database)
            reader.execute("SELECT FROM items")
            run.send(signal.SIGINT)
            error = run.fail()
        assert "It left an invalid index, which the next run drops." in error.state
        assert find_useless_indexes(database) == ["items_slow"]
    running.start(project).succeed()
    assert find_useless_indexes(database) == []
    assert database.query("SELECT to_regclass('items_slow') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_waits_for_the_lock_stops(number: signal.Signals, project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    with database.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        run = running.start(project)
        run.await_event(LockAwaited)
        run.send(number)
        error = run.fail()
    assert error.message == f"stopped by {SIGNALS[number]} while waiting for the lock"
    assert error.state == "Nothing was changed."
    assert database.query("SELECT to_regclass('items')") == [(None,)]


def test_a_run_that_waits_for_the_index_of_a_dead_one_stops(project: Project, database: Database) -> None:
    project.write_up(FIRST, f"{CREATE_SLOW}\n{BUILD_SLOW}")
    with gate_closed(database):
        killed = running.start(project)
        await_waiting_at_gate(database)
        killed.process.kill()
        run = running.start(project)
        run.await_event(Waiting)
        run.send(signal.SIGINT)
        error = run.fail()
    assert error.message.startswith("stopped by Ctrl-C")
    assert error.state == "Nothing was changed."


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_held_back_stops(number: signal.Signals, project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.migrate(check=0)
    project.write_up(SECOND, "ALTER TABLE items ADD COLUMN age int;")
    with database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM items")
        run = running.start(project, LOCK_TIMEOUT="20ms")
        run.await_event(HeldBack)
        run.send(number)
        error = run.fail()
    assert error.message == f"stopped by {SIGNALS[number]}"
    assert error.state == f"{SECOND} was rolled back completely."
    assert read_log(database)[-2:] == [(SECOND, "failed"), ("", "failed")]


def test_a_run_that_waits_for_long_transactions_stops(project: Project, database: Database) -> None:
    project.write_up(FIRST, CREATE_SLOW)
    project.migrate(check=0)
    project.write_up(SECOND, "CREATE INDEX CONCURRENTLY items_name ON items (name);")
    with database.connect(autocommit=False) as writer:
        writer.execute("DELETE FROM items")
        await_age(database, writer.info.backend_pid)
        run = running.start(project)
        run.await_event(Waiting)
        run.send(signal.SIGTERM)
        error = run.fail()
    assert error.message == "stopped by SIGTERM"
    assert find_useless_indexes(database) == []


def test_a_signal_during_the_last_statement_of_a_file_keeps_the_earlier_files(project: Project, database: Database) -> None:
    project.write_up(FIRST, f"CREATE TABLE a (id int);\nVACUUM a;\nCREATE TABLE b (id int);\n{PASS_GATE}")
    with gate_closed(database):
        run = running.start(project)
        await_waiting_at_gate(database)
        run.send(signal.SIGINT)
        error = run.fail()
    assert error.state == f"2 of 3 segments of {FIRST} are committed; the next run resumes after them."
    assert database.query("SELECT to_regclass('b')") == [(None,)]
    following = running.start(project).succeed()
    assert following.pick(StatementStarted)[0].text == "CREATE TABLE b (id int)"


def test_a_second_interrupt_ends_a_run_that_the_server_does_not_answer(project: Project, own_server: OwnServer) -> None:
    with fresh_database(own_server) as database:
        project.write_up(FIRST, PASS_GATE)
        with gate_closed(database):
            run = running.start(project.at(database.url))
            backend = await_waiting_at_gate(database)
            freeze(backend)
            try:
                run.send(signal.SIGINT)
                wait_until(lambda: is_asked_to_cancel(backend), what="the request to cancel")
                run.send(signal.SIGINT)
                run.finish()
            finally:
                thaw(backend)
    assert run.exit_code == 1
    assert run.errors == "Stopped by Ctrl-C. `status` shows the state of the database.\n"
