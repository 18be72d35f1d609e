"""Another session has a lock on the table: attempts are short, other sessions get their turn, no commit is repeated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tasks.runner.events import HeldBack, Retried, StepFinished
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.stress import running
from tests.stress.blocking import CREATE_SLOW, PASS_GATE, await_waiting, await_waiting_at_gate, gate_closed

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
ALTER = "ALTER TABLE items ADD COLUMN age int;"
SHORT = {"LOCK_TIMEOUT": "200ms"}


@pytest.fixture
def prepared(project: Project) -> Project:
    """Return a project with a table `items`, whose second migration changes it."""
    project.write_up(FIRST, f"{CREATE_SLOW} CREATE TABLE others (id int); CREATE TABLE trace (step text);")
    project.migrate(check=0)
    project.write_up(SECOND, f"INSERT INTO trace VALUES ('before');\n{ALTER}\nINSERT INTO trace VALUES ('after');")
    return project


def test_a_statement_succeeds_once_the_lock_is_released(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM items")
        run = running.start(prepared, **SHORT)
        held = run.await_event(HeldBack)
    assert (held.line, held.relations) == (2, ("public.items",))
    assert [event.version for event in run.succeed().pick(StepFinished)] == [SECOND]
    assert database.query("SELECT step FROM trace") == [("before",), ("after",)]


def test_after_lock_patience_the_blocker_is_named(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False, application_name="report of the month") as reader:
        reader.execute("SELECT 'who', count(*) FROM items")
        run = running.start(prepared, **SHORT, LOCK_PATIENCE="1s")
        error = run.fail()
        pid = reader.info.backend_pid
    assert len(run.pick(Retried)) <= 1
    assert error.sqlstate == "55P03"
    assert (error.file, error.line) == (f"migrations/up/{SECOND}.sql", 2)
    _, blocker = error.message.split("blocked by ")
    assert blocker.startswith(f"pid {pid} (postgres, report of the month, idle in transaction since 20")
    assert blocker.endswith(" UTC): SELECT 'who', count(*) FROM items")
    assert error.state == f"{SECOND} was rolled back completely."
    assert "LOCK_TIMEOUT, LOCK_ATTEMPTS and LOCK_PATIENCE" in error.hint
    assert database.query("SELECT FROM trace") == []


@contextmanager
def reading_in_a_loop(database: Database, lock_timeout: str) -> Iterator[list[str]]:
    """Read the table in a loop with this lock_timeout; yield the list of errors, and of one word for each success."""
    ended = threading.Event()
    outcomes: list[str] = []

    def read() -> None:
        with database.connect(options=f"-c lock_timeout={lock_timeout}") as connection:
            while not ended.is_set():
                try:
                    connection.execute("SELECT count(*) FROM items")
                    outcomes.append("read")
                except psycopg.Error as error:
                    outcomes.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield outcomes
    finally:
        ended.set()
        reader.join()


def test_no_reader_waits_longer_than_the_lock_timeout(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False) as blocker:
        blocker.execute("SELECT FROM items")
        with reading_in_a_loop(database, lock_timeout="10s") as outcomes:
            run = running.start(prepared, **SHORT)
            run.await_event(HeldBack)
            before = len(outcomes)
            wait_until(lambda: len(outcomes) > before + 10, what="the reader's turns")
            blocker.rollback()
            run.succeed()
    assert set(outcomes) == {"read"}


def test_a_deadlock_is_retried(prepared: Project, database: Database) -> None:
    prepared.write_up(SECOND, f"LOCK TABLE others;\n{PASS_GATE}\nLOCK TABLE items;")
    with database.connect(autocommit=False) as other:
        # Only our session checks for deadlocks, so the server cancels ours. It checks once, so ours has to be the last to wait.
        other.execute("SET deadlock_timeout = '1h'")
        other.execute("LOCK TABLE items")
        with gate_closed(database):
            run = running.start(prepared, LOCK_TIMEOUT="60s")
            await_waiting_at_gate(database)
            other.pgconn.send_query(b"LOCK TABLE others")
            await_waiting(database, "LOCK TABLE others")
        retried = run.await_event(Retried)
        while other.pgconn.get_result():
            pass
        other.rollback()
    assert (retried.line, retried.reason) == (3, "deadlock: deadlock detected")
    run.succeed()


def test_a_statement_that_committed_a_part_is_not_retried(prepared: Project, database: Database) -> None:
    body = "INSERT INTO trace VALUES ('committed'); COMMIT; LOCK TABLE items;"
    prepared.write_up(
        SECOND,
        f"-- migrate: no-transaction\nCREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN {body} END $$;\nCALL work();",
    )
    with database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM items")
        run = running.start(prepared, LOCK_TIMEOUT="20ms")
        error = run.fail()
    assert error.sqlstate == "55P03"
    assert error.line == 3
    assert "CALL work() may have committed a part of its work; the next run runs it again." in error.state
    assert run.pick(Retried) == []
    assert database.query("SELECT step FROM trace") == [("committed",)]


def test_a_nontransactional_statement_is_held_back(prepared: Project, database: Database) -> None:
    prepared.write_up(SECOND, "VACUUM FULL items;")
    with database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM items")
        run = running.start(prepared, LOCK_TIMEOUT="20ms")
        held = run.await_event(HeldBack)
        reader.rollback()
    assert (held.line, held.relations) == (1, ("public.items",))
    assert [event.version for event in run.succeed().pick(StepFinished)] == [SECOND]


def test_a_transaction_that_has_the_ledger_blocks_the_run_only_once(prepared: Project, database: Database) -> None:
    prepared.write_up(SECOND, "INSERT INTO trace VALUES ('before');")
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE schema_migrations IN SHARE MODE")
        run = running.start(prepared, LOCK_TIMEOUT="20ms")
        retried = run.await_event(Retried)
        run.await_event(HeldBack)
        other.rollback()
    assert (retried.attempt, retried.holds_back) == (1, True)
    assert len(run.succeed().pick(Retried)) == 1
    assert database.query("SELECT step FROM trace") == [("before",)]
