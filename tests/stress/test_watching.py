"""Events of a run while it waits and works."""

import pytest

from tasks.runner.events import IndexAdvanced, NoticeRaised, StatementStarted, StepFailed, StepFinished, Waiting
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
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
        advanced = run.await_event(IndexAdvanced)
        waiting = run.await_event(Waiting)
    assert (advanced.version, advanced.line) == (SECOND, 1)
    assert advanced.phase.startswith("building index")
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
