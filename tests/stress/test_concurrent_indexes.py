"""CREATE INDEX CONCURRENTLY: what it waits for is named, and it leaves no invalid index."""

import psycopg
import pytest
from psycopg import sql

from tasks.runner import MigrationRunner
from tasks.runner.errors import StatementError
from tasks.runner.events import IndexAdvanced, NoticeRaised, StatementFinished, StatementStarted, Waiting
from tasks.runner.execution.leftovers import Leftovers, find_leftovers
from tasks.runner.operations.migrate import migrate
from tasks.runner.parsing import Target
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.stress import running
from tests.stress.blocking import (
    BUILD_SLOW,
    CREATE_SLOW,
    await_age,
    await_waiting_at_gate,
    find_useless_indexes,
    gate_closed,
)

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
BUILD = "CREATE INDEX CONCURRENTLY items_name ON items (name);"


@pytest.fixture
def prepared(project: Project) -> Project:
    """Return a project with a table `items`, whose second migration builds an index on it."""
    project.write_up(FIRST, CREATE_SLOW)
    project.migrate(check=0)
    project.write_up(SECOND, BUILD)
    return project


def is_valid(database: Database, name: str) -> bool:
    rows = database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", name)
    return rows == [(True,)]


def test_a_long_transaction_is_named_and_waited_for_before_the_build_begins(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False, application_name="nightly export") as writer:
        writer.execute("DELETE FROM items WHERE id = 1")
        await_age(database, writer.info.backend_pid)
        run = running.start(prepared)
        waiting = run.await_event(Waiting)
        assert run.pick(StatementStarted) == []
        assert [blocker.application for blocker in waiting.blockers] == ["nightly export"]
        assert (waiting.version, waiting.line) == (SECOND, 1)
        writer.rollback()
    run.succeed()
    assert is_valid(database, "items_name")


def test_a_transaction_that_never_ends_stops_the_run_before_the_build_begins(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False, application_name="nightly export") as writer:
        writer.execute("DELETE FROM items WHERE id = 1")
        await_age(database, writer.info.backend_pid)
        error = running.start(prepared, LOCK_TIMEOUT="10ms", LOCK_ATTEMPTS="2").fail()
    assert "block CREATE INDEX CONCURRENTLY items_name" in error.message
    assert "nightly export" in error.message
    assert error.state == f"Nothing of {SECOND} was applied."
    assert database.query("SELECT to_regclass('items_name')") == [(None,)]


def test_a_transaction_that_began_after_the_first_look_does_not_delay_the_build(prepared: Project, database: Database) -> None:
    with database.connect(autocommit=False) as first, database.connect(autocommit=False) as second:
        for snapshot in (first, second):
            snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        first.execute("SELECT FROM items")
        await_age(database, first.info.backend_pid)
        run = running.start(prepared, LOCK_TIMEOUT="1s")
        assert [blocker.pid for blocker in run.await_event(Waiting).blockers] == [first.info.backend_pid]
        second.execute("SELECT FROM items")
        await_age(database, second.info.backend_pid)
        first.rollback()
        run.await_event(StatementStarted)
        second.rollback()
    run.succeed()
    assert is_valid(database, "items_name")


def test_a_row_that_is_there_twice_leaves_no_index(prepared: Project, database: Database) -> None:
    database.execute("UPDATE items SET name = 'same'")
    prepared.write_up(SECOND, f"CREATE TABLE others (id int);\n{BUILD.replace('INDEX', 'UNIQUE INDEX')}")
    error = running.start(prepared).fail()
    assert error.sqlstate == "23505"
    assert "Key (name)=(same) is duplicated." in error.message
    assert error.line == 2
    assert error.state == (
        f"1 of 2 segments of {SECOND} is committed; the next run resumes after it. "
        "The invalid index that it left (public.items_name) was dropped."
    )
    assert database.query("SELECT to_regclass('items_name')") == [(None,)]
    database.execute("UPDATE items SET name = id::text")
    running.start(prepared).succeed()
    assert is_valid(database, "items_name")


@pytest.mark.parametrize("build", [BUILD, BUILD.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS")])
def test_an_invalid_index_of_another_tool_is_dropped_and_built_again(build: str, prepared: Project, database: Database) -> None:
    database.execute("UPDATE items SET name = 'same'")
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(BUILD.replace("INDEX", "UNIQUE INDEX"))
    assert find_useless_indexes(database) == ["items_name"]
    prepared.write_up(SECOND, build)
    run = running.start(prepared).succeed()
    assert any("public.items_name" in notice.message for notice in run.pick(NoticeRaised))
    assert is_valid(database, "items_name")
    assert find_useless_indexes(database) == []


def test_an_index_that_another_session_builds_is_not_dropped(prepared: Project, database: Database) -> None:
    prepared.write_up(SECOND, BUILD_SLOW.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"))
    with database.connect() as other:
        with gate_closed(database):
            other.pgconn.send_query(BUILD_SLOW.encode())
            await_waiting_at_gate(database)
            index = database.query("SELECT 'items_slow'::regclass::oid")
            run = running.start(prepared)
            assert [blocker.pid for blocker in run.await_event(Waiting).blockers] == [other.info.backend_pid]
        while other.pgconn.get_result():
            pass
    run.succeed()
    assert database.query("SELECT 'items_slow'::regclass::oid") == index
    assert is_valid(database, "items_slow")


def test_an_index_that_is_being_built_is_not_a_leftover(prepared: Project, database: Database) -> None:
    target = Target("create index", name="items_slow", table="items")
    with database.connect() as other:
        with gate_closed(database) as connection:
            other.pgconn.send_query(BUILD_SLOW.encode())
            await_waiting_at_gate(database)
            assert find_leftovers(connection, target) == Leftovers()
        while other.pgconn.get_result():
            pass
        assert find_leftovers(other, target) == Leftovers(done=True)


def test_an_index_that_is_invalid_after_its_build_is_an_error(prepared: Project, database: Database) -> None:
    events = migrate(MigrationRunner(database.url, migrations_dir=prepared.migrations), MigrateGoal())
    for event in events:
        if isinstance(event, StatementFinished):
            database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'items_name'::regclass")
            break
    with pytest.raises(StatementError, match=r"public\.items_name is invalid") as caught:
        list(events)
    assert "The invalid index that it left (public.items_name) was dropped." in caught.value.state
    assert database.query("SELECT to_regclass('items_name')") == [(None,)]


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_a_timeout_that_a_role_has_does_not_break_a_build(setting: str, prepared: Project, database: Database) -> None:
    name = f"hasty_{database.name}_{setting}"
    role = sql.Identifier(name)
    database.server.administer(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(role))
    try:
        database.server.administer(sql.SQL("ALTER ROLE {} SET {} = '1500ms'").format(role, sql.Identifier(setting)))
        prepared.write_up(SECOND, f"{BUILD_SLOW}\n{BUILD}")
        with gate_closed(database):
            run = running.start(prepared.at(database.url.replace("postgres@", f"{name}@")), LOCK_TIMEOUT="200ms")
            run.await_event(IndexAdvanced)
        run.succeed()
    finally:
        database.server.administer(sql.SQL("DROP ROLE {}").format(role))
    assert is_valid(database, "items_slow")
    assert is_valid(database, "items_name")
