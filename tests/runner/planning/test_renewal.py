"""A plan that is made again from a newer ledger: what is left of it, or why it is refused."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tasks.runner.errors import PlanChangedError
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.renames import Rename
from tasks.runner.planning.choice import Choice, Goal, MigrateGoal, RollbackGoal, choose
from tasks.runner.planning.plan import Plan, Source, plan
from tasks.runner.planning.renewal import identify_plan, replan
from tests.kit.projects import REPOSITORY
from tests.runner.planning.test_plan import PAIRS, A, B, C, make_attempt, make_files, make_ledger, make_plan, show_findings

FILES = make_files(A, B, C)


def prepare(goal: Goal, ledger: Ledger, text: str = "SELECT 1") -> Plan:
    """Return the plan of a goal, in which each file has the same text."""
    choice = choose(FILES, ledger, goal)
    return plan(choice, {version: Source(f"{version}.sql", text, version) for version in choice.versions}, ledger.attempts)


def renew(goal: Goal, before: Ledger, now: Ledger, *, exact: bool = False) -> Plan:
    return replan(prepare(goal, before), choose(FILES, now, goal), now, before=before, exact=exact)


def list_versions(made: Plan) -> list[str]:
    return [step.version for step in made.steps]


@pytest.mark.parametrize(
    ("goal", "before", "now", "left"),
    [
        (MigrateGoal(), (), (), [A, B, C]),
        (MigrateGoal(), (), (A,), [B, C]),
        (MigrateGoal(), (A,), (A, B, C), []),
        (MigrateGoal(), (A,), (A, C), [B]),
        (MigrateGoal(to=B), (), (A,), [B]),
        (MigrateGoal(only=B), (), (A, C), [B]),
        (RollbackGoal(), (A, B), (A, B), [B]),
        (RollbackGoal(to=A), (A, B, C), (A, B, C), [C, B]),
    ],
)
def test_steps_that_another_run_did_are_left_out(
    goal: Goal, before: tuple[str, ...], now: tuple[str, ...], left: list[str]
) -> None:
    assert list_versions(renew(goal, make_ledger(*before), make_ledger(*now))) == left


@pytest.mark.parametrize(
    ("goal", "before", "now", "named"),
    [
        (MigrateGoal(), (A, B), (B,), [f"to apply {C};", f"to apply {A}, {C}"]),
        (MigrateGoal(), (A, B), (), [f"to apply {C};", f"to apply {A}, {B}, {C}"]),
        (RollbackGoal(), (A, B), (A, B, C), [f"to roll back {B};", f"to roll back {C}"]),
        (RollbackGoal(), (A, B), (A,), [f"to roll back {B};", f"to roll back {A}"]),
        (RollbackGoal(steps=2), (A, B), (A, C), [f"to roll back {B}, {A};", f"to roll back {C}, {A}"]),
        (RollbackGoal(steps=2), (A, B), (B, A), [f"to roll back {B}, {A};", f"to roll back {A}, {B}"]),
        (RollbackGoal(to=A), (A, B), (A, B, C), [f"to roll back {B};", f"to roll back {C}, {B}"]),
        (RollbackGoal(to="0"), (A, B), (A,), [f"to roll back {B}, {A};", f"to roll back {A}"]),
        (RollbackGoal(), (A,), (), [f"to roll back {A};", "nothing is left to roll back"]),
    ],
)
def test_any_other_choice_is_refused_and_both_are_named(
    goal: Goal, before: tuple[str, ...], now: tuple[str, ...], named: list[str]
) -> None:
    with pytest.raises(PlanChangedError) as refused:
        renew(goal, make_ledger(*before), make_ledger(*now))
    assert refused.value.exit_code == 3
    assert [name for name in named if name not in refused.value.message] == []


@pytest.mark.parametrize(
    ("goal", "before", "now"),
    [
        (MigrateGoal(), {}, {A: "another"}),
        (MigrateGoal(), {}, {A: None}),
        (RollbackGoal(), {A: A}, {A: "another"}),
    ],
)
def test_another_text_of_another_run_is_refused(goal: Goal, before: dict[str, str | None], now: dict[str, str | None]) -> None:
    made = renew(goal, make_ledger(attempts=None, **before), make_ledger(attempts=None, **now))
    assert [(finding.kind, finding.version) for finding in made.refusals] == [("edited", A)]
    assert "was just applied by another run" in made.refusals[0].message


def test_a_file_that_became_late_is_refused_if_late_files_are() -> None:
    before, now = make_ledger(A), make_ledger(A, C)
    assert list_versions(renew(MigrateGoal(to=B), before, now)) == [B]
    assert show_findings(renew(MigrateGoal(to=B, strict=True), before, now)) == [("late", B, True)]


def test_a_plan_that_was_shown_runs_completely_or_not_at_all() -> None:
    before = make_ledger()
    assert list_versions(renew(MigrateGoal(), before, before, exact=True)) == [A, B, C]
    with pytest.raises(PlanChangedError, match=f"it was to apply {A}, {B}, {C}; now to apply {B}, {C}"):
        renew(MigrateGoal(), before, make_ledger(A), exact=True)


def test_a_plan_resumes_where_another_run_stopped_but_one_that_was_shown_does_not() -> None:
    goal, before, now = MigrateGoal(to=A), make_ledger(), make_ledger(attempts={A: make_attempt(PAIRS, 2)})
    made, choice = prepare(goal, before, PAIRS), choose(FILES, now, goal)
    assert [step.done for step in replan(made, choice, now, before=before).steps] == [2]
    with pytest.raises(PlanChangedError, match="or begin at another statement"):
        replan(made, choice, now, before=before, exact=True)


OTHERS = {
    "action": replace(make_plan("SELECT 1"), action="rollback"),
    "text": make_plan("SELECT 2"),
    "version": plan(Choice("migrate", (B,)), {B: Source("up/a.sql", "SELECT 1", A)}, {}),
    "progress": make_plan(PAIRS, {A: make_attempt(PAIRS, 1)}),
    "renames": replace(make_plan("SELECT 1"), renames=(Rename("001_a", A),)),
    "nothing": Plan("migrate", ()),
}


@pytest.mark.parametrize("other", OTHERS)
def test_the_identity_of_a_plan_depends_on_all_that_it_does(other: str) -> None:
    made = make_plan(PAIRS if other == "progress" else "SELECT 1")
    assert identify_plan(made) != identify_plan(OTHERS[other])
    assert len(identify_plan(made)) == 12


def test_the_order_of_the_steps_is_a_part_of_the_identity_and_the_findings_are_not() -> None:
    made = prepare(MigrateGoal(), make_ledger())
    assert identify_plan(made) != identify_plan(replace(made, steps=made.steps[::-1]))
    late = prepare(MigrateGoal(to=B), make_ledger(C))
    assert late.findings
    assert identify_plan(late) == identify_plan(replace(late, findings=()))


def test_renewing_a_plan_asks_nothing_of_the_world() -> None:
    decide = "renew(MigrateGoal(), make_ledger(), make_ledger(A))"
    watch = "seen = []; sys.addaudithook(lambda name, values: seen.append(name))"
    code = f"import sys; from tests.runner.planning.test_renewal import *; {decide}; {watch}; {decide}; sys.exit(repr(seen))"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "[]"
