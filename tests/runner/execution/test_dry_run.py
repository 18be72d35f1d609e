"""A dry run shows exactly what the run then does, and changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import Event, PlanMade, RunFinished, StatementStarted, StepStarted
from tasks.runner.operations.migrate import RunMode, migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, C, Operator, collect_failure, pick

EVERYTHING = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"

MIXED = """\
-- Two tables, an index, and data.
CREATE TABLE b (id int);
INSERT INTO b VALUES (1); INSERT INTO b VALUES (2);

CREATE INDEX CONCURRENTLY b_id ON b (id);
COPY b FROM stdin;
3
\\.
"""


def prepare_migrate(operator: Operator) -> Callable[..., list[Event]]:
    operator.write_tables(A, C)
    operator.migrate()
    operator.write(B, MIXED)
    return operator.migrate


def prepare_resume(operator: Operator) -> Callable[..., list[Event]]:
    operator.write(A, "BEGIN; CREATE TABLE a (); COMMIT;\nBEGIN; SELECT 1/0; COMMIT;")
    with pytest.raises(RunnerError, match="division"):
        operator.migrate()
    operator.write(A, "BEGIN; CREATE TABLE a (); COMMIT;\nBEGIN; SELECT 1; COMMIT;")
    return operator.migrate


def prepare_rollback(operator: Operator) -> Callable[..., list[Event]]:
    operator.write_tables(A)
    operator.write(B, MIXED, "DROP INDEX CONCURRENTLY b_id;\nDROP TABLE b;")
    operator.migrate()
    return lambda **options: operator.roll_back(steps=2, **options)


def prepare_seed(operator: Operator) -> Callable[..., list[Event]]:
    operator.project.write_seed("001_one", "CREATE TABLE IF NOT EXISTS one ();")
    operator.project.write_seed("002_two", "SELECT 1;\nSELECT 2;")
    return operator.seed


@pytest.mark.parametrize("prepare", [prepare_migrate, prepare_resume, prepare_rollback, prepare_seed])
def test_a_dry_run_shows_the_plan_that_the_run_then_executes(
    any_operator: Operator, prepare: Callable[[Operator], Callable[..., list[Event]]]
) -> None:
    run = prepare(any_operator)
    shown, done = run(dry_run=True), run()
    (plan,), (carried_out,) = pick(shown, PlanMade), pick(done, PlanMade)
    assert plan.dry_run
    assert plan.steps
    assert replace(plan, dry_run=False) == carried_out
    assert [step.version for step in plan.steps] == [event.version for event in pick(done, StepStarted)]
    assert [
        (step.version, statement.line, statement.text)
        for step in plan.steps
        for statement in step.statements
        if statement.segment > step.done
    ] == [(event.version, event.line, event.text) for event in pick(done, StatementStarted)]


@pytest.mark.parametrize("command", ["migrate", "inv"])
def test_a_verbose_dry_run_prints_whole_statements_without_passwords(operator: Operator, command: str) -> None:
    operator.write(
        A, "CREATE TABLE a (\n    id int,\n    name text\n);\nCREATE USER MAPPING FOR b SERVER s OPTIONS (password 'hush');"
    )
    run = operator.project.migrate if command == "migrate" else operator.project.inv
    printed = run(*(["db.migrate"] if command == "inv" else []), "--dry-run", "--verbose", check=0).stdout
    assert "         CREATE TABLE a (\n             id int,\n             name text\n         );\n" in printed
    assert "OPTIONS (password ***);" in printed
    assert "hush" not in printed


def test_a_dry_run_ends_without_a_step(operator: Operator) -> None:
    operator.write_tables(A)
    events = operator.migrate(dry_run=True)
    assert pick(events, StepStarted) == []
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.steps, finished.dry_run) == (0, True)


@pytest.mark.parametrize("operation", ["migrate", "roll_back", "seed"])
def test_a_dry_run_creates_nothing_in_an_empty_database(any_operator: Operator, operation: str) -> None:
    any_operator.write_tables(A)
    any_operator.project.write_seed("001_one", "SELECT 1;")
    getattr(any_operator, operation)(dry_run=True, environment="local")
    assert any_operator.database.query(EVERYTHING) == [(0,)]


@pytest.mark.parametrize(
    ("statement", "opens"),
    [
        ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_monitor", True),
        ('grant all /* "to" */ on all sequences\nin schema other, "public" TO pg_monitor, pg_signal_backend', True),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA other TO pg_monitor", False),
        ("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO pg_monitor", False),
        ("GRANT USAGE ON SCHEMA public TO pg_monitor", False),
        ("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM pg_monitor", False),
        ("GRANT pg_monitor TO pg_signal_backend", False),
    ],
)
def test_a_file_that_opens_the_ledger_to_other_roles_is_a_finding(operator: Operator, statement: str, opens: bool) -> None:
    operator.write(A, f"CREATE TABLE a ();\n{statement};")
    (plan,) = pick(operator.migrate(dry_run=True), PlanMade)
    assert [finding.kind for finding in plan.findings] == (["opens the ledger"] if opens else [])


def test_a_dry_run_logs_nothing(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate(to=A)
    log = operator.read_log()
    operator.migrate(dry_run=True)
    operator.roll_back(dry_run=True)
    assert operator.read_log() == log
    assert operator.read_states() == {A: "applied", B: "pending"}


def test_plans_are_read_in_one_read_only_transaction_of_one_moment(any_operator: Operator) -> None:
    with any_operator.make_runner().read() as connection:
        row = connection.execute("SELECT current_setting('transaction_read_only'), current_setting('transaction_isolation')")
        assert row.fetchone() == ("on", "repeatable read")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE a ()")


def test_a_dry_run_does_not_wait_for_a_run_in_progress(operator: Operator) -> None:
    operator.write_tables(A)
    operator.database.execute(f"SELECT pg_advisory_lock({LOCK_KEY})")
    assert [step.version for step in pick(operator.migrate(dry_run=True), PlanMade)[0].steps] == [A]


def test_a_dry_run_refuses_what_the_run_would_refuse(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);")
    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal(), RunMode(dry_run=True)))
    assert isinstance(error, RefusedError)
    (plan,) = pick(events, PlanMade)
    assert [(finding.kind, finding.version) for finding in plan.findings] == [("edited", A)]


@pytest.mark.parametrize("operation", ["migrate", "roll_back", "seed"])
def test_a_dry_run_for_another_environment_refuses(operator: Operator, operation: str) -> None:
    operator.write_tables(A)
    operator.migrate(environment="prod")
    with pytest.raises(RefusedError, match="the database belongs to prod"):
        getattr(operator, operation)(dry_run=True, environment="staging")
