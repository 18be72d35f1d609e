"""A checkout or an image from before a squash or a clean-up: what was replaced since counts as applied, and never runs again."""

import shutil
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.ledger.renames import Renames, read_renames, read_targets, write_renames
from tasks.runner.ledger.squashes import Squash
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator, list_done

ONE = "20250102000000_squashed_schema"
LATER = "20250103000000_squashed_schema"
NEW = "20250104000000_create_a"
D = "20250102120000_create_d"


@pytest.fixture
def older(operator: Operator, tmp_path: Path) -> Operator:
    """Return an operator of an older checkout: A creates a table, B and C count how often they ran."""
    operator.write(A, "CREATE TABLE IF NOT EXISTS runs (n int);", "DROP TABLE runs;")
    operator.write(B, "INSERT INTO runs VALUES (2);", "DELETE FROM runs WHERE n = 2;")
    operator.write(C, "INSERT INTO runs VALUES (3);", "DELETE FROM runs WHERE n = 3;")
    shutil.copytree(operator.project.root, tmp_path / "older")
    return Operator(Project(tmp_path / "older", operator.project.database_url), operator.database)


def replace(operator: Operator, version: str, text: str, *parts: str, renamed: str = "") -> None:
    """Replace versions by one, as a squash does, or rename a version."""
    folder = operator.project.migrations
    before = read_renames(folder, read_targets(folder)) if (folder / "renames.toml").exists() else Renames()
    for part in (*parts, renamed):
        operator.remove(part)
    operator.write(version, text, "SELECT 1;")
    checksum = _sum(text)
    squashed = {**before.squashed, version: Squash(parts, checksum)} if parts else before.squashed
    versions = {**before.versions, renamed: version} if renamed else before.versions
    (folder / "renames.toml").write_text(
        write_renames(Renames(versions, before.headers, before.superseded, squashed, before.parts))
    )


def _sum(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def read_runs(operator: Operator) -> list[int]:
    return [row[0] for row in operator.database.query("SELECT n FROM runs ORDER BY n")]


def test_after_a_squash_the_older_checkout_runs_nothing_again(operator: Operator, older: Operator) -> None:
    operator.remove(C)
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    operator.migrate()
    older.remove(C)
    assert older.read_states() == {A: "applied", B: "applied", ONE: "missing"}
    assert list_done(older.migrate()) == []
    assert read_runs(operator) == [2]
    assert operator.read_states() == {ONE: "applied"}


def test_a_squash_that_ran_in_an_empty_database_counts_for_its_parts(operator: Operator, older: Operator) -> None:
    replace(operator, ONE, "CREATE TABLE runs (n int); INSERT INTO runs VALUES (2);", A, B)
    operator.migrate()
    assert list_done(older.migrate()) == []
    assert read_runs(operator) == [2, 3]


def test_an_older_run_that_waited_for_a_squash_runs_nothing(operator: Operator, older: Operator) -> None:
    older.remove(C)
    runner = older.make_runner()
    waiting = runner.prepare(MigrateGoal())
    assert [step.version for step in waiting.plan.steps] == [A, B]
    replace(operator, ONE, "CREATE TABLE runs (n int); INSERT INTO runs VALUES (2);", A, B)
    operator.remove(C)
    operator.migrate()
    assert list_done(runner.run(waiting)) == []
    assert read_runs(operator) == [2]


@pytest.mark.parametrize("between", [False, True])
def test_a_squash_of_a_squash_counts_for_the_parts_of_both(operator: Operator, older: Operator, between: bool) -> None:
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    if between:
        operator.migrate()
    middle = older.project.root.parent / "middle"
    shutil.copytree(operator.project.root, middle)
    replace(operator, LATER, "SELECT 2;", ONE, C)
    operator.migrate()
    assert operator.read_applied() == [LATER]
    for project in (older.project, Project(middle, older.project.database_url)):
        assert list_done(Operator(project, operator.database).migrate()) == []
    assert read_runs(operator) == [2, 3]


def test_a_renamed_version_counts_under_both_names(operator: Operator, older: Operator) -> None:
    operator.migrate()
    replace(operator, NEW, "CREATE TABLE IF NOT EXISTS runs (n int);", renamed=A)
    operator.migrate()
    status = older.read_status()
    assert {row.version: row.state for row in status.rows} == {A: "applied", B: "applied", C: "applied"}
    assert [(each.kind, each.version) for each in status.findings] == [("renamed", A)]
    assert status.rows[0].applied_by
    assert list_done(older.migrate()) == []
    assert operator.read_states() == {NEW: "applied", B: "applied", C: "applied"}


def test_a_renamed_version_that_was_squashed_counts_under_its_first_name(operator: Operator, older: Operator) -> None:
    operator.migrate()
    replace(operator, NEW, "CREATE TABLE IF NOT EXISTS runs (n int);", renamed=A)
    replace(operator, LATER, "SELECT 1;", B, C, NEW)
    operator.migrate()
    assert list_done(older.migrate()) == []
    assert read_runs(operator) == [2, 3]


def test_an_older_checkout_rolls_a_renamed_version_back_under_its_name(operator: Operator, older: Operator) -> None:
    operator.migrate()
    replace(operator, NEW, "INSERT INTO runs VALUES (3);", renamed=C)
    operator.migrate()
    assert list_done(older.roll_back()) == [C]
    assert operator.read_applied() == [A, B]
    assert operator.read_states()[NEW] == "pending"
    assert list_done(operator.migrate()) == [NEW]
    assert list_done(older.migrate()) == []
    assert read_runs(operator) == [2, 3]


@pytest.mark.parametrize(("to", "named"), [("", ONE), (A, B), ("0", A)])
def test_a_rollback_of_what_a_squash_absorbed_is_refused(operator: Operator, older: Operator, to: str, named: str) -> None:
    operator.remove(C)
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    operator.migrate()
    with pytest.raises(RefusedError, match=named) as refused:
        older.roll_back(to=to)
    assert f"a revision that has {ONE}" in refused.value.hint
    assert operator.read_applied() == [ONE]


def test_after_the_squash_is_rolled_back_its_parts_are_pending_again(operator: Operator, older: Operator) -> None:
    operator.remove(C)
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    operator.migrate()
    operator.roll_back()
    older.remove(C)
    assert list_done(older.migrate()) == [A, B]
    assert operator.read_states() == {ONE: "applied"}


def test_a_late_file_beside_a_missing_one_is_a_finding_that_suggests_an_older_checkout(
    operator: Operator, older: Operator
) -> None:
    operator.migrate()
    older.remove(C)
    older.write(D, "INSERT INTO runs VALUES (4);")
    (late,) = (each for each in older.read_status().findings if each.kind == "late")
    assert "This checkout may be older than the database" in late.hint
    assert list_done(older.migrate()) == [D]


def test_repair_in_an_older_checkout_does_not_offer_to_forget_the_squash(operator: Operator, older: Operator) -> None:
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    operator.migrate()
    assert [event.kind for event in older.repair()] == ["run_started", "run_finished"]


def test_a_squash_before_this_was_recorded_is_known_from_the_log(operator: Operator, older: Operator) -> None:
    operator.remove(C)
    operator.migrate()
    replace(operator, ONE, "SELECT 1;", A, B)
    operator.migrate()
    operator.database.execute("DELETE FROM schema_migrations_meta WHERE key IN ('replaced', 'additions')")
    operator.write(C, "INSERT INTO runs VALUES (3);")
    operator.migrate()
    operator.database.execute("UPDATE schema_migrations_meta SET value = replace(value, 'null', '\"x\"') WHERE key = 'replaced'")
    assert list_done(older.migrate()) == []
    assert read_runs(operator) == [2, 3]


def test_what_cannot_be_read_of_the_replaced_names_is_refused(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute("INSERT INTO schema_migrations_meta VALUES ('replaced', '[1]')")
    with pytest.raises(RefusedError, match="`replaced`") as refused:
        operator.migrate()
    operator.database.execute(refused.value.hint.splitlines()[0])
    assert list_done(operator.migrate()) == []
