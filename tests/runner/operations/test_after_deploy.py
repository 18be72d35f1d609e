"""Migrations that run when the application of before is gone: `-- migrate: after-deploy`."""

import pytest

from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import Finding, PlanMade, StatusRow
from tests.runner.operating import A, B, C, Operator, pick

MARK = "-- migrate: after-deploy"
D = "20250104000000_create_d"


@pytest.fixture
def marked(operator: Operator) -> Operator:
    """Return an operator with the tables a and b, where b is marked, and then c."""
    operator.write_tables(A, C)
    operator.write(B, f"{MARK}\nCREATE TABLE b (id int);", "DROP TABLE b;")
    return operator


def find_left(operator: Operator) -> list[Finding]:
    """Return the findings of a migration before the deployment."""
    (plan,) = pick(operator.migrate(before_deploy=True), PlanMade)
    return list(plan.findings)


def test_a_run_before_the_deployment_leaves_a_marked_migration_pending_and_applies_those_behind_it(marked: Operator) -> None:
    (left,) = find_left(marked)
    assert (left.kind, left.version, left.refuses) == ("after-deploy", B, False)
    assert left.hint == "After the deployment: inv db.migrate"
    assert marked.read_tables() == ["a", "c"]
    assert marked.read_states() == {A: "applied", C: "applied", B: "pending"}


def test_a_marked_migration_is_not_late_afterwards(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    (plan,) = pick(marked.migrate(strict=True), PlanMade)
    assert plan.findings == ()
    assert marked.read_applied() == [A, C, B]


def test_a_second_run_before_the_deployment_leaves_it_pending_too(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    marked.migrate(before_deploy=True)
    assert marked.read_tables() == ["a", "c"]


def test_a_rollback_afterwards_undoes_the_newest_by_history(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    marked.migrate()
    marked.roll_back()
    assert marked.read_tables() == ["a", "c"]


def test_a_run_without_the_flag_applies_all_in_order(marked: Operator) -> None:
    marked.migrate()
    assert marked.read_applied() == [A, B, C]


def test_the_plan_before_the_deployment_is_another_one(marked: Operator) -> None:
    (before,) = pick(marked.migrate(before_deploy=True, dry_run=True), PlanMade)
    (whole,) = pick(marked.migrate(dry_run=True), PlanMade)
    assert [step.version for step in before.steps] == [A, C]
    assert before.plan_id != whole.plan_id
    with pytest.raises(RunnerError):
        marked.migrate(plan=before.plan_id)
    marked.migrate(before_deploy=True, plan=before.plan_id)
    assert marked.read_tables() == ["a", "c"]


def test_all_files_but_the_marked_one_may_be_atomic(marked: Operator) -> None:
    marked.migrate(before_deploy=True, atomic=True)
    assert marked.read_tables() == ["a", "c"]


def test_an_unmarked_file_behind_applied_ones_is_still_late(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    late = "20250102120000_create_e"
    marked.write_tables(late)
    assert marked.read_states()[late] == "late"


def test_the_status_names_what_runs_after_the_deployment(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    notes = {row.version: row.note for row in marked.read_status().rows}
    assert notes == {A: "", C: "", B: "runs after the deployment"}
    marked.migrate()
    assert {row.note for row in marked.read_status().rows} == {""}


def test_a_database_is_current_before_the_marked_migration(marked: Operator) -> None:
    marked.migrate(before_deploy=True)
    assert marked.make_runner().is_current()
    marked.write_tables(D)
    assert not marked.make_runner().is_current()


@pytest.mark.parametrize("text", ["-- migrate: after-deploy\r\nSELEC 1;", "-- migrate: after-deploy\nSELECT 1/0;"])
def test_a_marked_file_that_cannot_run_does_not_stop_the_run_before_the_deployment(marked: Operator, text: str) -> None:
    marked.write(B, text)
    marked.migrate(before_deploy=True)
    assert marked.read_tables() == ["a", "c"]


def test_a_mark_in_a_comment_behind_statements_marks_nothing(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (); -- this runs after-deploy")
    operator.migrate(before_deploy=True)
    assert operator.read_tables() == ["a"]


def test_a_mark_in_a_down_file_is_refused(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();", f"{MARK}\nDROP TABLE a;")
    operator.migrate()
    with pytest.raises(RefusedError, match="is marked as after-deploy, but is a down file"):
        operator.roll_back()
    assert operator.read_tables() == ["a"]


def test_a_marked_migration_that_stopped_in_the_middle_is_left_as_it_is(operator: Operator) -> None:
    operator.write_tables(A, C)
    operator.write(B, f"{MARK}\nBEGIN; CREATE TABLE b (); COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    with pytest.raises(RunnerError):
        operator.migrate()
    operator.migrate(before_deploy=True)
    assert operator.read_tables() == ["a", "b", "c"]
    (row,) = [row for row in operator.read_status().rows if row.version == B]
    assert isinstance(row, StatusRow)
    assert row.state == "interrupted"
    assert row.note.startswith("runs after the deployment; migrate: 1 of 2 segments done")
