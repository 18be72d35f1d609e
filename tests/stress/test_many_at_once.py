"""Many runs at once on one database."""

import pytest

from tasks.runner.events import LockAwaited, StepFinished
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
from tests.stress import running
from tests.stress.blocking import BUILD_SLOW, CREATE_SLOW, await_waiting_at_gate, gate_closed

RUNS = 16
STEPS = [f"202501010000{number:02}_step" for number in range(12)]
"""More than the executions after which psycopg prepares a statement."""


def write_steps(project: Project) -> None:
    project.write_up(STEPS[0], f"{CREATE_SLOW} CREATE TABLE trace (step text);")
    for step in STEPS[1:-1]:
        project.write_up(step, f"INSERT INTO trace VALUES ('{step}');")
    project.write_up(STEPS[-1], f"{BUILD_SLOW}\nINSERT INTO trace VALUES ('{STEPS[-1]}');")


def assert_each_ran_once(database: Database) -> None:
    assert [row[0] for row in database.query("SELECT step FROM trace ORDER BY step")] == STEPS[1:]
    assert [row[0] for row in database.query("SELECT version FROM schema_migrations ORDER BY version")] == STEPS
    finished = "SELECT version FROM schema_migrations_log WHERE version IS NOT NULL AND outcome = 'finished' ORDER BY id"
    assert [row[0] for row in database.query(finished)] == STEPS
    assert database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_slow'::regclass") == [(True,)]


def test_of_sixteen_runs_at_once_each_migration_runs_in_one(project: Project, database: Database) -> None:
    write_steps(project)
    runs = [running.start(project) for _ in range(RUNS)]
    done = [event.version for run in runs for event in run.succeed().pick(StepFinished)]
    assert sorted(done) == STEPS
    assert_each_ran_once(database)


def test_runs_that_wait_for_the_lock_do_not_block_a_concurrent_index(project: Project, database: Database) -> None:
    write_steps(project)
    with gate_closed(database):
        first = running.start(project)
        await_waiting_at_gate(database)
        others = [running.start(project) for _ in range(RUNS - 1)]
        for run in others:
            run.await_event(LockAwaited)
    assert [event.version for event in first.succeed().pick(StepFinished)] == STEPS
    assert [run.succeed().pick(StepFinished) for run in others] == [[]] * (RUNS - 1)
    assert_each_ran_once(database)


@pytest.mark.parametrize("pgbouncer", [4], indirect=True)
def test_sixteen_runs_at_once_share_four_backends_of_a_pooler(project: Project, database: Database, pgbouncer: Pooler) -> None:
    write_steps(project)
    runs = [running.start(project.at(pgbouncer.url)) for _ in range(RUNS)]
    done = [event.version for run in runs for event in run.succeed().pick(StepFinished)]
    assert sorted(done) == STEPS
    assert_each_ran_once(database)
