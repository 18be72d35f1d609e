"""A run that is killed during a statement: the server may continue it, and the next run has to handle that."""

import pytest

from tasks.runner.events import NoticeRaised, Waiting
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.processes import freeze, thaw
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.stress import running
from tests.stress.blocking import (
    BUILD_SLOW,
    CREATE_SLOW,
    GATE,
    PASS_GATE,
    await_waiting,
    await_waiting_at_gate,
    end_session,
    find_useless_indexes,
    gate_closed,
)

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
PATIENT = {"LOCK_TIMEOUT": "60s"}
TRACE = "CREATE TABLE trace (step text);"


def prepare(project: Project, first: str, second: str) -> None:
    """Apply the first migration, and write the second."""
    project.write_up(FIRST, first)
    project.migrate(check=0)
    project.write_up(SECOND, second)


def lives(database: Database, pid: int) -> bool:
    return bool(database.query("SELECT FROM pg_stat_activity WHERE pid = %s", pid))


def await_end(database: Database, pid: int) -> None:
    wait_until(lambda: not lives(database, pid), what=f"the end of session {pid}")


def find_index(database: Database) -> int:
    return int(database.query("SELECT 'items_slow'::regclass::oid::int")[0][0])


def assert_done(database: Database) -> None:
    assert find_useless_indexes(database) == []
    assert database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(FIRST,), (SECOND,)]


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_the_transaction_of_a_killed_run_is_ended_by_the_next(
    way: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    prepare(project, TRACE, f"INSERT INTO trace VALUES ('before'); {PASS_GATE} INSERT INTO trace VALUES ('after');")
    used = project.at(pgbouncer.url) if way == "pooled" else project
    with gate_closed(database):
        killed = running.start(used, **PATIENT)
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        following = running.start(used)
        await_end(database, orphan)
    following.succeed()
    assert database.query("SELECT step FROM trace") == [("before",), ("after",)]
    assert_done(database)


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_a_record_that_a_killed_run_was_about_to_write_is_never_written(
    way: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    prepare(project, TRACE, "INSERT INTO trace VALUES ('done');")
    used = project.at(pgbouncer.url) if way == "pooled" else project
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE schema_migrations IN SHARE MODE")
        killed = running.start(used, **PATIENT)
        orphan = await_waiting(database, "%schema_migrations%")
        killed.process.kill()
        following = running.start(used)
        await_end(database, orphan)
        other.rollback()
    following.succeed()
    assert database.query("SELECT step FROM trace") == [("done",)]
    assert_done(database)


def test_a_run_that_hangs_and_lost_its_lock_is_ended_by_the_next(project: Project, database: Database) -> None:
    prepare(project, TRACE, f"INSERT INTO trace VALUES ('before'); {PASS_GATE} INSERT INTO trace VALUES ('after');")
    with gate_closed(database):
        hanging = running.start(project, **PATIENT)
        orphan = await_waiting_at_gate(database)
        freeze(hanging.process.pid)
        end_session(database, "migrate-lock %")
        following = running.start(project)
        await_end(database, orphan)
        thaw(hanging.process.pid)
        error = hanging.fail()
    assert error.message.startswith("terminating connection due to administrator command")
    following.succeed()
    assert database.query("SELECT step FROM trace") == [("before",), ("after",)]
    assert_done(database)


@pytest.mark.parametrize("header", ["", "-- migrate: no-transaction\n"])
@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_a_procedure_that_commits_does_not_continue_during_the_next_run(
    way: str, header: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    body = (
        f"INSERT INTO trace VALUES ('begun'); COMMIT; PERFORM pg_advisory_lock_shared({GATE}); INSERT INTO trace VALUES ('done');"
    )
    procedure = f"CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"
    prepare(project, TRACE + procedure, f"{header}CALL work();")
    used = project.at(pgbouncer.url) if way == "pooled" else project
    with gate_closed(database):
        killed = running.start(used, **PATIENT)
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        following = running.start(used)
        await_end(database, orphan)
    following.succeed()
    assert database.query("SELECT step, count(*) FROM trace GROUP BY 1 ORDER BY 1") == [("begun", 2), ("done", 1)]
    assert_done(database)


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_the_next_run_waits_for_an_index_that_the_server_continues_to_build(
    way: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    prepare(project, CREATE_SLOW, BUILD_SLOW)
    used = project.at(pgbouncer.url) if way == "pooled" else project
    with gate_closed(database):
        killed = running.start(used)
        orphan = await_waiting_at_gate(database)
        index = find_index(database)
        killed.process.kill()
        following = running.start(used)
        waiting = following.await_event(Waiting)
        assert [blocker.pid for blocker in waiting.blockers] == [orphan]
    following.succeed()
    assert find_index(database) == index
    assert_done(database)


@pytest.mark.parametrize(
    "build",
    [
        BUILD_SLOW,
        BUILD_SLOW.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"),
        BUILD_SLOW.replace("INDEX", "UNIQUE INDEX"),
    ],
)
def test_the_leftover_of_an_index_build_is_dropped_and_it_is_built_again(
    build: str, project: Project, database: Database
) -> None:
    prepare(project, CREATE_SLOW, f"INSERT INTO items VALUES (4, 'four'); {build}")
    with gate_closed(database):
        killed = running.start(project)
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        database.execute("SELECT pg_terminate_backend(%s)", orphan)
        await_end(database, orphan)
    assert find_useless_indexes(database) == ["items_slow"]
    following = running.start(project).succeed()
    assert any("items_slow" in notice.message for notice in following.pick(NoticeRaised))
    assert database.query("SELECT count(*) FROM items") == [(4,)]
    assert_done(database)


@pytest.mark.parametrize("what", ["INDEX CONCURRENTLY items_slow", "TABLE CONCURRENTLY items", "(CONCURRENTLY) SCHEMA public"])
def test_the_leftovers_of_a_reindex_are_dropped_and_it_runs_again(what: str, project: Project, database: Database) -> None:
    prepare(project, f"{CREATE_SLOW} CREATE INDEX items_slow ON items (slow(id));", f"REINDEX {what};")
    before = find_index(database)
    with gate_closed(database):
        killed = running.start(project)
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        database.execute("SELECT pg_terminate_backend(%s)", orphan)
        await_end(database, orphan)
    assert find_useless_indexes(database) != []
    running.start(project).succeed()
    assert find_index(database) != before
    assert_done(database)


def test_the_next_run_waits_for_a_reindex_that_the_server_continues(project: Project, database: Database) -> None:
    prepare(project, f"{CREATE_SLOW} CREATE INDEX items_slow ON items (slow(id));", "REINDEX TABLE CONCURRENTLY items;")
    with gate_closed(database):
        killed = running.start(project)
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        following = running.start(project)
        assert [blocker.pid for blocker in following.await_event(Waiting).blockers] == [orphan]
    following.succeed()
    assert_done(database)


def test_a_rollback_that_is_killed_in_an_index_build_is_finished_by_the_next(project: Project, database: Database) -> None:
    prepare(project, CREATE_SLOW, "ALTER TABLE items ADD COLUMN age int;")
    project.write_down(SECOND, f"ALTER TABLE items DROP COLUMN age;\n{BUILD_SLOW}")
    project.migrate(check=0)
    with gate_closed(database):
        killed = running.start(project, "rollback")
        orphan = await_waiting_at_gate(database)
        killed.process.kill()
        database.execute("SELECT pg_terminate_backend(%s)", orphan)
        await_end(database, orphan)
    assert find_useless_indexes(database) == ["items_slow"]
    running.start(project, "rollback").succeed()
    assert find_useless_indexes(database) == []
    assert database.query("SELECT to_regclass('items_slow') IS NOT NULL") == [(True,)]
    assert database.query("SELECT version FROM schema_migrations") == [(FIRST,)]


def test_an_index_that_is_being_dropped_is_dropped_by_the_next_run(project: Project, database: Database) -> None:
    prepare(project, f"{CREATE_SLOW} CREATE INDEX items_name ON items (name);", "DROP INDEX CONCURRENTLY items_name;")
    with database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM items")
        killed = running.start(project)
        orphan = await_waiting(database, "DROP INDEX CONCURRENTLY%")
        killed.process.kill()
        following = running.start(project)
        await_end(database, orphan)
        reader.rollback()
    following.succeed()
    assert database.query("SELECT to_regclass('items_name')") == [(None,)]
    assert_done(database)
