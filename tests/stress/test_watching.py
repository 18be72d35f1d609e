"""Events of a run while it waits and works."""

import signal
from pathlib import Path

import psycopg
import pytest

from tasks.runner.events import IndexAdvanced, NoticeRaised, StatementStarted, StepFailed, StepFinished, Waiting
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
from tests.kit.relays import start_relay
from tests.kit.waiting import wait_until
from tests.stress import running
from tests.stress.blocking import BUILD_SLOW, CREATE_SLOW, PASS_GATE, await_waiting_at_gate, gate_closed

FIRST, SECOND = "20250101000000_first", "20250102000000_second"


@pytest.fixture(params=["direct", "pooled"])
def either(request: pytest.FixtureRequest, project: Project, pgbouncer: Pooler) -> Project:
    """Return a project with a direct connection, and one behind a pooler."""
    return project.at(pgbouncer.url) if request.param == "pooled" else project


def test_the_blocker_is_named_while_a_statement_waits(either: Project, database: Database) -> None:
    either.write_up(FIRST, f"CREATE TABLE items (id int);\n{PASS_GATE}")
    with gate_closed(database) as holder:
        pid = holder.info.backend_pid
        run = running.start(either, LOCK_TIMEOUT="30s")
        waiting = run.await_event(Waiting)
    assert [(blocker.pid, blocker.user, blocker.state) for blocker in waiting.blockers] == [(pid, "postgres", "idle")]
    assert waiting.blockers[0].query == "SELECT pg_advisory_lock($1)"
    assert (waiting.version, waiting.line) == (FIRST, 2)
    assert waiting.seconds_s >= 2
    run.succeed()


def test_an_index_build_reports_its_phase_and_what_it_waits_for(either: Project, database: Database) -> None:
    either.write_up(FIRST, CREATE_SLOW)
    either.write_up(SECOND, BUILD_SLOW)
    with gate_closed(database) as holder:
        pid = holder.info.backend_pid
        run = running.start(either)
        # On a busy machine, the first look can find an earlier phase.
        while not (advanced := run.await_event(IndexAdvanced)).phase.startswith("building index"):
            continue
        waiting = run.await_event(Waiting)
    assert (advanced.version, advanced.line) == (SECOND, 1)
    assert [blocker.pid for blocker in waiting.blockers] == [pid]
    run.succeed()


def test_a_notice_is_passed_on_before_its_statement_is_done(project: Project) -> None:
    project.write_up(FIRST, "DO $$ BEGIN RAISE NOTICE 'half way'; RAISE WARNING 'take care'; END $$;")
    run = running.start(project).succeed()
    kinds = [type(event) for event in run.events]
    assert run.pick(NoticeRaised) == [
        NoticeRaised(FIRST, "NOTICE", "half way"),
        NoticeRaised(FIRST, "WARNING", "take care"),
    ]
    assert kinds.index(StatementStarted) < kinds.index(NoticeRaised) < kinds.index(StepFinished)


def test_a_notice_is_passed_on_while_its_statement_runs(project: Project, database: Database) -> None:
    project.write_up(FIRST, "DO $$ BEGIN RAISE NOTICE 'half way'; PERFORM pg_advisory_xact_lock_shared(42); END $$;")
    with gate_closed(database):
        run = running.start(project, LOCK_TIMEOUT="30s")
        await_waiting_at_gate(database)
        run.await_event(NoticeRaised, message="half way")
        assert await_waiting_at_gate(database)
    run.succeed()


def test_the_notices_of_a_statement_that_fails_are_passed_on(project: Project) -> None:
    project.write_up(FIRST, "DO $$ BEGIN RAISE NOTICE 'about to fail'; RAISE EXCEPTION 'no'; END $$;")
    run = running.start(project)
    run.fail()
    kinds = [type(event) for event in run.events]
    assert kinds.index(NoticeRaised) < kinds.index(StepFailed)


@pytest.mark.parametrize("pgbouncer", [2], indirect=True)
def test_a_pool_without_a_session_for_the_watcher_delays_nothing(project: Project, database: Database, pgbouncer: Pooler) -> None:
    project.write_up(FIRST, PASS_GATE)
    with gate_closed(database), psycopg.connect(pgbouncer.url_of("pgbouncer"), autocommit=True) as console:
        run = running.start(project.at(pgbouncer.url), LOCK_TIMEOUT="60s")
        await_waiting_at_gate(database)
        wait_until(lambda: _count_waiting(console, database), what="the watcher to wait for a session")
    wait_until(lambda: database.query("SELECT FROM schema_migrations"), what="the run to commit")
    assert run.succeed().exit_code == 0


def _count_waiting(console: psycopg.Connection, database: Database) -> int:
    cursor = console.execute("SHOW POOLS", prepare=False)
    columns = [column.name for column in cursor.description or ()]
    pools = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return sum(int(pool["cl_waiting"]) for pool in pools if pool["database"] == database.name)


@pytest.mark.parametrize("stops", [False, True])
def test_a_watcher_that_cannot_connect_delays_neither_the_run_nor_its_stop(
    stops: bool, project: Project, database: Database, short_path: Path
) -> None:
    project.write_up(FIRST, PASS_GATE)
    with start_relay(short_path / "relay", database, ignores="migrate-watch") as relay:
        with gate_closed(database):
            run = running.start(project.at(relay.url), LOCK_TIMEOUT="60s")
            await_waiting_at_gate(database)
            wait_until(lambda: relay.ignored, what="the watcher to connect")
            if stops:
                run.send(signal.SIGINT)
                assert run.fail().message == "stopped by Ctrl-C"
            else:
                assert run.await_event(Waiting).blockers == ()
        if not stops:
            run.succeed()
