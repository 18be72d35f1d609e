"""Redo: the newest migration is rolled back and its file is applied again, in one run."""

from dataclasses import replace

import pytest

from tasks.runner.errors import PlanChangedError, RefusedError, StatementError
from tasks.runner.events import PlanMade, StepFinished
from tasks.runner.operations.migrate import RunMode, migrate
from tasks.runner.operations.redo import redo
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator, collect_failure, pick


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose migrations A and B are applied."""
    operator = Operator(project, database)
    operator.write_tables(A, B)
    operator.migrate()
    return operator


def run(operator: Operator, mode: RunMode | None = None, *, stored_down: bool = False) -> list[tuple[str, str]]:
    events = redo(operator.make_runner(), mode or RunMode(), stored_down=stored_down)
    return [(event.action, event.version) for event in events if isinstance(event, StepFinished)]


def test_the_newest_migration_is_rolled_back_and_applied_as_edited(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b (id int, name text);")
    operator.write_tables(C)
    assert run(operator) == [("rollback", B), ("migrate", B)]
    assert operator.database.query("SELECT count(*) FROM pg_attribute WHERE attrelid = 'b'::regclass AND attname = 'name'") == [
        (1,)
    ]
    assert operator.read_states() == {A: "applied", B: "applied", C: "pending"}


def test_one_run_is_logged(operator: Operator) -> None:
    run(operator)
    assert [row for row in operator.read_log() if row[0] == "redo"] == [("redo", "started", ""), ("redo", "finished", "")]
    assert operator.database.query("SELECT count(DISTINCT run_id) FROM schema_migrations_log") == [(2,)]


def test_without_a_down_file_the_stored_text_runs(operator: Operator) -> None:
    (operator.project.migrations / "down" / f"{B}.sql").unlink()
    assert run(operator) == [("rollback", B), ("migrate", B)]


def test_an_edited_down_file_runs_and_is_named(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b2 (id int);", "DROP TABLE b2;")
    _, failure = collect_failure(redo(operator.make_runner()))
    assert isinstance(failure, StatementError)
    assert "inv db.redo --stored-down" in failure.hint
    (planned,) = pick(redo(operator.make_runner(), RunMode(dry_run=True)), PlanMade)
    assert [finding.kind for finding in planned.findings] == ["edited", "edited down"]
    assert "--stored-down" in planned.findings[1].hint
    assert operator.read_tables() == ["a", "b"]


def test_what_an_edited_down_file_leaves_counts_as_not_compared(operator: Operator) -> None:
    watching = replace(operator, watch_drift=True)
    watching.write(B, "CREATE TABLE b2 (id int);", "DROP TABLE IF EXISTS b2;")
    run(watching)
    assert watching.read_tables() == ["a", "b", "b2"]
    assert "not compared" in [finding.kind for finding in watching.read_status().findings]


def test_the_stored_down_text_can_be_chosen(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b2 (id int);", "DROP TABLE b2;")
    run(operator, stored_down=True)
    assert operator.read_tables() == ["a", "b2"]


def test_a_dry_run_shows_both_steps_and_changes_nothing(operator: Operator) -> None:
    before = operator.read_log()
    (planned,) = pick(redo(operator.make_runner(), RunMode(dry_run=True)), PlanMade)
    assert [(step.action, step.version) for step in planned.steps] == [("rollback", B), ("migrate", B)]
    assert operator.read_log() == before


def test_rows_that_are_lost_are_counted(operator: Operator) -> None:
    operator.database.execute("INSERT INTO b VALUES (1), (2)")
    (planned,) = pick(redo(operator.make_runner(), RunMode(dry_run=True)), PlanMade)
    assert [finding.message for finding in planned.findings] == ["DROP TABLE on line 1 removes 2 rows of b"]


def test_a_failure_of_the_second_half_is_reported_as_such(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b (id int);\nSELECT 1/0;")
    _, failure = collect_failure(redo(operator.make_runner()))
    assert "stays in effect: it is pending" in failure.state
    assert "1 earlier" not in failure.state
    assert operator.read_states() == {A: "applied", B: "failed"}


def test_the_next_redo_only_applies_what_the_last_one_rolled_back(operator: Operator) -> None:
    operator.write(B, "SELECT 1/0;")
    collect_failure(redo(operator.make_runner()))
    operator.write_tables(B)
    assert run(operator) == [("migrate", B)]
    assert operator.read_applied() == [A, B]


def test_a_rollback_after_a_failed_redo_is_not_undone_by_the_next(operator: Operator) -> None:
    operator.write_tables(C)
    operator.migrate()
    operator.write(C, "SELECT 1/0;")
    collect_failure(redo(operator.make_runner()))
    operator.roll_back()
    assert run(operator) == [("rollback", A), ("migrate", A)]


def test_an_interrupted_rollback_is_finished_and_the_file_applied(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b (id int);", "BEGIN; DROP TABLE b; COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    collect_failure(redo(operator.make_runner()))
    assert operator.read_tables() == ["a"]
    operator.write(B, "CREATE TABLE b (id int);", "BEGIN; DROP TABLE b; COMMIT; BEGIN; SELECT 1; COMMIT;")
    assert run(operator) == [("rollback", B), ("migrate", B)]
    assert operator.read_tables() == ["a", "b"]


def test_a_half_applied_second_half_is_resumed(operator: Operator) -> None:
    operator.write(B, "BEGIN; CREATE TABLE b (id int); COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    collect_failure(redo(operator.make_runner()))
    operator.write(B, "BEGIN; CREATE TABLE b (id int); COMMIT; BEGIN; CREATE TABLE b2 (id int); COMMIT;")
    assert run(operator) == [("migrate", B)]
    assert operator.read_tables() == ["a", "b", "b2"]


@pytest.mark.parametrize(
    ("up", "down", "says"),
    [
        ("CREATE TABLE b (id int);", "-- migrate: irreversible rows are gone", "rows are gone"),
        ("CREATE TABLE b (id int", "DROP TABLE b;", "syntax error"),
        ("CREATE TABLE b (id int);", "DROP TABLE b", ""),
    ],
)
def test_both_halves_are_checked_before_the_first_runs(operator: Operator, up: str, down: str, says: str) -> None:
    operator.write(B, up, down)
    if not says:
        assert run(operator)
        return
    _, failure = collect_failure(redo(operator.make_runner()))
    assert says in failure.message
    assert operator.read_applied() == [A, B]


def test_a_newest_migration_without_a_file_is_refused(operator: Operator) -> None:
    operator.remove(B)
    _, failure = collect_failure(redo(operator.make_runner()))
    assert isinstance(failure, RefusedError)
    assert "no file to apply it again" in failure.message


def test_nothing_applied_is_refused(project: Project, database: Database) -> None:
    operator = Operator(project, database)
    operator.write_tables(A)
    _, failure = collect_failure(redo(operator.make_runner()))
    assert isinstance(failure, RefusedError)
    assert "none is applied" in failure.message


def test_half_applied_other_migrations_are_refused(operator: Operator) -> None:
    operator.write(C, "BEGIN; CREATE TABLE c (id int); COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    _, failure = collect_failure(redo(operator.make_runner()))
    assert isinstance(failure, RefusedError)
    assert "partly applied" in failure.message


def test_a_plan_that_changed_since_it_was_shown_is_refused(operator: Operator) -> None:
    (planned,) = pick(redo(operator.make_runner(), RunMode(dry_run=True)), PlanMade)
    operator.write(B, "CREATE TABLE b (id int, name text);")
    _, failure = collect_failure(redo(operator.make_runner(), RunMode(plan_id=planned.plan_id)))
    assert isinstance(failure, PlanChangedError)
    assert operator.read_applied() == [A, B]


def test_a_run_between_plan_and_lock_is_noticed(operator: Operator) -> None:
    def migrate_meanwhile() -> None:
        operator.write_tables(C)
        operator.migrate()

    _, failure = collect_failure(redo(operator.make_runner(), RunMode(approve=migrate_meanwhile)))
    assert isinstance(failure, PlanChangedError)
    assert operator.read_applied() == [A, B, C]
