"""Which versions a goal means, and what a plan makes of their texts: no database, no files."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.events import PlannedStatement, PlannedStep
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.reading import Attempt, Ledger
from tasks.runner.parsing import read_script
from tasks.runner.planning.choice import Choice, Goal, MigrateGoal, RollbackGoal, choose
from tasks.runner.planning.plan import Plan, Source, checksum_segments, plan, show_plan
from tests.kit.projects import REPOSITORY

A = "20250101000000_create_a"
B = "20250102000000_create_b"
C = "20250103000000_create_c"
D = "20250204000000_create_d"

PAIRS = "BEGIN; CREATE TABLE a (); COMMIT; BEGIN; CREATE TABLE b (); COMMIT; VACUUM;"
MENDED = "BEGIN; CREATE TABLE a (); COMMIT; BEGIN; CREATE TABLE c (); COMMIT; VACUUM a; VACUUM b;"
CHANGED = "BEGIN; CREATE TABLE z (); COMMIT; BEGIN; CREATE TABLE b (); COMMIT; VACUUM;"


def make_files(*versions: str, **others: str) -> Migrations:
    """Return a folder of files; the checksum of a file is its version by default."""
    return Migrations(Path("migrations"), False, {version: version for version in versions} | others, frozenset())


def make_ledger(*versions: str, attempts: Mapping[str, Attempt] | None = None, **others: str | None) -> Ledger:
    checksums = {version: version for version in versions} | others
    return Ledger("public", True, True, checksums, attempts or {})


def make_attempt(text: str, done: int, *, action: str = "migrate", outcome: str = "started", sqlstate: str = "") -> Attempt:
    """Return an attempt at a text that stopped after `done` segments."""
    script = read_script(text, file="f.sql", version=A)
    return Attempt(action, outcome, done, len(script.segments), checksum_segments(script, done), sqlstate, "", "")


def make_plan(text: str, attempts: Mapping[str, Attempt] | None = None, *, action: str = "migrate") -> Plan:
    """Plan one file with this text."""
    return plan(Choice(action, (A,)), {A: Source("up/a.sql", text, A)}, attempts or {})


def show_findings(found: Choice | Plan) -> list[tuple[str, str, bool]]:
    return [(finding.kind, finding.version, finding.refuses) for finding in found.findings]


@pytest.mark.parametrize(
    ("goal", "applied", "chosen"),
    [
        (MigrateGoal(), (), (A, B, C, D)),
        (MigrateGoal(), (A, B), (C, D)),
        (MigrateGoal(), (D, C, B, A), ()),
        (MigrateGoal(), (C,), (A, B, D)),
        (MigrateGoal(to=B), (), (A, B)),
        (MigrateGoal(to=f"{B}.sql"), (), (A, B)),
        (MigrateGoal(to="20250102000000"), (), (A, B)),
        (MigrateGoal(to="20250102"), (), (A, B)),
        (MigrateGoal(to="202502"), (), (A, B, C, D)),
        (MigrateGoal(to=A), (A, B), ()),
        (MigrateGoal(to=C), (A, B), (C,)),
        (MigrateGoal(only=B), (), (B,)),
        (MigrateGoal(only=B), (B,), ()),
        (RollbackGoal(), (A, B, C), (C,)),
        (RollbackGoal(steps=2), (A, C, B), (B, C)),
        (RollbackGoal(steps=9), (A, B), (B, A)),
        (RollbackGoal(), (), ()),
        (RollbackGoal(to=A), (A, B, C), (C, B)),
        (RollbackGoal(to="20250101"), (A, C, B), (B, C)),
        (RollbackGoal(to=B), (A, C, D), (D, C)),
        (RollbackGoal(to=C), (A, B, C), ()),
        (RollbackGoal(to="0"), (B, A, C), (C, A, B)),
    ],
)
def test_a_goal_selects_these_versions(goal: Goal, applied: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    assert choose(make_files(A, B, C, D), make_ledger(*applied), goal).versions == chosen


def test_an_applied_version_without_a_file_can_be_a_goal_of_a_rollback() -> None:
    assert choose(make_files(A), make_ledger(A, B, C), RollbackGoal(to=B)).versions == (C,)


@pytest.mark.parametrize(
    ("goal", "message", "hint"),
    [
        (MigrateGoal(to="20250109000000"), "there is no version 20250109000000", "Did you mean"),
        (MigrateGoal(to="zzz"), "there is no version zzz", "inv db.status"),
        (MigrateGoal(to=".sql"), "there is no version .sql", "inv db.status"),
        (MigrateGoal(to="202501"), f"202501 matches 3 versions: {A}, {B}, {C}", "Write more digits"),
        (MigrateGoal(only="20250101"), "there is no migration file 20250101.sql", "Use the name of a file in migrations/up"),
        (RollbackGoal(to="20250109000000"), "there is no version 20250109000000", "Did you mean"),
        (MigrateGoal(to=B[14:]), f"there is no version {B[14:]}", f"Did you mean {B}?"),
        (RollbackGoal(to="2025010"), f"2025010 matches 3 versions: {A}, {B}, {C}", "Write more digits"),
    ],
)
def test_an_unknown_version_is_wrong_usage(goal: Goal, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        choose(make_files(A, B, C, D), make_ledger(A), goal)
    assert refused.value.message == message
    assert hint in refused.value.hint


def test_an_ambiguous_prefix_names_five_versions() -> None:
    versions = [f"2025010{number}000000_x" for number in range(1, 8)]
    with pytest.raises(UsageError, match=r"matches 7 versions: (\w+, ){5}…"):
        choose(make_files(*versions), make_ledger(), MigrateGoal(to="2025"))


@pytest.mark.parametrize("steps", [0, -1])
def test_a_rollback_of_no_steps_is_wrong_usage(steps: int) -> None:
    with pytest.raises(UsageError, match="at least 1 step"):
        RollbackGoal(steps=steps)


@pytest.mark.parametrize(
    ("files", "ledger", "goal", "findings"),
    [
        (make_files(A, B), make_ledger(A, B), MigrateGoal(), []),
        (make_files(A, B), make_ledger(B), MigrateGoal(), [("late", A, False)]),
        (make_files(A, B), make_ledger(B), MigrateGoal(strict=True), [("late", A, True)]),
        (make_files(A, B, C), make_ledger(C), MigrateGoal(to=A, strict=True), [("late", A, True)]),
        (make_files(A, B, C), make_ledger(C), MigrateGoal(only=B), [("late", B, False)]),
        (make_files(A), make_ledger(A, B), MigrateGoal(), [("missing", B, False)]),
        (make_files(B, **{A: "new"}), make_ledger(A, B), MigrateGoal(), [("edited", A, True)]),
        (make_files(B, **{A: "new"}), make_ledger(A, B), MigrateGoal(to=B), [("edited", A, True)]),
        (make_files(A), make_ledger(**{A: None}), MigrateGoal(), []),
        (make_files(**{A: "new"}), make_ledger(A), RollbackGoal(), []),
    ],
)
def test_files_and_ledger_lead_to_these_findings(
    files: Migrations, ledger: Ledger, goal: Goal, findings: list[tuple[str, str, bool]]
) -> None:
    assert show_findings(choose(files, ledger, goal)) == findings


HALF_APPLIED = make_attempt(PAIRS, 1, outcome="failed", sqlstate="42P07")
HALF_UNDONE = HALF_APPLIED._replace(action="rollback")


@pytest.mark.parametrize(
    ("applied", "attempt", "goal", "findings"),
    [
        ((A,), HALF_UNDONE, MigrateGoal(), [("interrupted", A, True)]),
        ((A,), HALF_UNDONE, RollbackGoal(), []),
        ((), HALF_APPLIED, MigrateGoal(), []),
        ((), HALF_APPLIED, RollbackGoal(), [("interrupted", A, True)]),
        ((A,), HALF_UNDONE._replace(segments_done=0), MigrateGoal(), []),
        ((), HALF_APPLIED._replace(segments_done=0), RollbackGoal(), []),
        ((), HALF_APPLIED._replace(segments_done=0, outcome="started"), RollbackGoal(), [("interrupted", A, True)]),
    ],
)
def test_what_one_way_was_interrupted_does_not_go_the_other(
    applied: tuple[str, ...], attempt: Attempt, goal: Goal, findings: list[tuple[str, str, bool]]
) -> None:
    assert show_findings(choose(make_files(A), make_ledger(*applied, attempts={A: attempt}), goal)) == findings


def test_a_step_is_shown_with_its_segments_and_lines() -> None:
    shown = show_plan(make_plan("CREATE TABLE a ();\nSELECT 1;\nVACUUM;\n\nSELECT 2;"))
    statements = (
        PlannedStatement(1, "CREATE TABLE a ()", 1),
        PlannedStatement(2, "SELECT 1", 1),
        PlannedStatement(3, "VACUUM", 2),
        PlannedStatement(5, "SELECT 2", 3),
    )
    assert shown == (PlannedStep("migrate", A, "up/a.sql", (True, False, True), 0, statements),)


@pytest.mark.parametrize(
    ("attempt", "facts"),
    [
        (None, (0, 0, False, False)),
        (make_attempt(PAIRS, 0), (0, 0, True, True)),
        (make_attempt(PAIRS, 1), (1, 1, True, True)),
        (make_attempt(PAIRS, 2), (2, 2, True, True)),
        (make_attempt(PAIRS, 1, outcome="resumed"), (1, 1, True, True)),
        (make_attempt(PAIRS, 1, outcome="failed", sqlstate="42P07"), (1, 1, True, False)),
        (make_attempt(PAIRS, 1, outcome="failed", sqlstate="57014"), (1, 1, True, True)),
        (make_attempt(PAIRS, 0, outcome="failed", sqlstate="42P07"), (0, 0, False, False)),
        (make_attempt(PAIRS, 1, action="rollback"), (0, 0, False, False)),
    ],
)
def test_a_step_resumes_where_an_attempt_stopped(attempt: Attempt | None, facts: tuple[int, int, bool, bool]) -> None:
    made = make_plan(PAIRS, {A: attempt} if attempt else {})
    (step,) = made.steps
    assert (step.done, step.position, step.resumed, step.unsure) == facts
    assert made.findings == ()


@pytest.mark.parametrize(
    ("text", "done", "findings"),
    [
        (MENDED, 1, []),
        (f"-- a comment\n{PAIRS}", 2, []),
        (MENDED, 2, [("interrupted", A, True)]),
        (CHANGED, 1, [("interrupted", A, True)]),
        (CHANGED, 0, []),
        ("CREATE TABLE a (); CREATE TABLE b ();", 1, [("interrupted", A, True)]),
        ("CREATE TABLE a ();", 2, [("interrupted", A, True)]),
    ],
)
def test_only_what_follows_the_finished_segments_may_change(text: str, done: int, findings: list[tuple[str, str, bool]]) -> None:
    assert show_findings(make_plan(text, {A: make_attempt(PAIRS, done)})) == findings


def test_what_a_later_segment_needs_of_a_session_is_a_finding() -> None:
    made = make_plan("CREATE TEMP TABLE keep (id int);\nVACUUM;\nTABLE keep;")
    assert show_findings(made) == [("session", A, False)]
    assert "line 1 leaves the temporary table keep in its session, and line 3 needs it" in made.findings[0].message


def test_an_irreversible_down_file_refuses_with_its_reason() -> None:
    with pytest.raises(RefusedError, match=f"{A} cannot be rolled back: the rows are gone"):
        make_plan("-- migrate: irreversible: the rows are gone", action="rollback")


def test_an_up_file_cannot_be_irreversible() -> None:
    with pytest.raises(RefusedError, match="contains no statement") as refused:
        make_plan("-- migrate: irreversible: the rows are gone")
    assert "down file" in refused.value.hint


def test_the_sum_of_segments_depends_on_each_of_them() -> None:
    script, changed = (read_script(text, file="f.sql", version=A) for text in (PAIRS, CHANGED))
    sums = [checksum_segments(script, count) for count in range(5)]
    assert sums[0] == sums[4] == ""
    assert len(set(sums)) == 4
    assert not set(sums[1:4]) & {checksum_segments(changed, count) for count in (1, 2, 3)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: choose(make_files(A, B, C), make_ledger(B), MigrateGoal()),
        lambda: choose(make_files(A), make_ledger(A, B), RollbackGoal(steps=2)),
        lambda: make_plan(PAIRS, {A: make_attempt(PAIRS, 1)}),
    ],
)
def test_the_same_files_and_ledger_give_an_equal_plan(make: Callable[[], object]) -> None:
    assert make() == make()


def test_another_text_makes_another_plan() -> None:
    assert make_plan(PAIRS) != make_plan(MENDED)


def test_deciding_asks_nothing_of_the_world() -> None:
    decide = "choose(make_files(A, B), make_ledger(B), MigrateGoal()), make_plan(PAIRS)"
    watch = "seen = []; sys.addaudithook(lambda name, values: seen.append(name))"
    code = f"import sys; from tests.runner.planning.test_plan import *; {decide}; {watch}; {decide}; sys.exit(repr(seen))"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "[]"
