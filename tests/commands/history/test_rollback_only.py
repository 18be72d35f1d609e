"""db.rollback --only: one migration, under later ones, once that is proved on scratch."""

import json
import subprocess

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose migrations A, B and C are applied; each creates its table."""
    operator = Operator(project, database)
    operator.write_tables(A, B, C)
    operator.migrate()
    return operator


def run(operator: Operator, *arguments: str, check: int) -> "subprocess.CompletedProcess[str]":
    """Run `inv db.rollback` with a scratch server."""
    env = {"SCRATCH_DATABASE_URL": operator.database.server.url()}
    return operator.project.inv("db.rollback", *arguments, env=env, check=check)


def test_it_is_proved_and_rolled_back(operator: Operator) -> None:
    result = run(operator, f"--only={B[:14]}", check=0)
    assert f"Proved on scratch: after a rollback of only {B}, 1 later migration" in result.stdout
    assert f"Rolled back {B}" in result.stdout
    assert operator.read_states() == {A: "applied", C: "applied", B: "late"}
    assert operator.read_tables() == ["a", "c"]


def test_what_a_later_migration_needs_is_refused(operator: Operator) -> None:
    operator.write("20250104000000_d", "CREATE INDEX d ON b (id);", "DROP INDEX d;")
    operator.migrate()
    result = run(operator, f"--only={B}", check=3)
    assert "20250104000000_d was applied after it and needs it" in result.stderr
    assert operator.read_tables() == ["a", "b", "c"]


def test_the_newest_needs_no_proof(operator: Operator) -> None:
    result = operator.project.inv(
        "db.rollback", f"--only={C}", env={"SCRATCH_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, check=0
    )
    assert f"Rolled back {C}" in result.stdout


def test_a_dry_run_proves_it_and_changes_nothing(operator: Operator) -> None:
    result = run(operator, f"--only={B}", "--dry-run", "--json", check=0)
    kinds = [json.loads(line)["kind"] for line in result.stdout.splitlines()]
    assert kinds == ["rollback_proved", "run_started", "plan_made", "run_finished"]
    assert operator.read_tables() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--only=20990101000000_x",), 2, "there is no version"),
        ((f"--only={A}", "--steps=2"), 2, "contradicts"),
        ((f"--only={A}", f"--to={A}"), 2, "contradicts"),
        ((f"--only={A}", "--env=local,dev"), 2, "one environment at a time"),
        ((f"--only={A}", "--timeout=x"), 2, "must be a whole number"),
        (("--only=20250105",), 3, "is not applied"),
    ],
)
def test_wrong_usage_is_refused(operator: Operator, arguments: tuple[str, ...], code: int, message: str) -> None:
    operator.write_tables("20250105000000_create_e")
    assert message in run(operator, *arguments, check=code).stderr


def test_a_plan_that_was_proved_for_other_migrations_is_refused(operator: Operator) -> None:
    shown = run(operator, f"--only={B}", "--dry-run", "--json", check=0).stdout
    plan_id = next(line["plan_id"] for line in map(json.loads, shown.splitlines()) if line["kind"] == "plan_made")
    operator.write_tables("20250104000000_create_d")
    operator.migrate()
    result = operator.project.migrate("rollback", f"--only={B}", f"--plan={plan_id}", check=3)
    assert "the plan is no longer" in result.stderr


def test_a_server_refuses_it_without_the_plan_that_was_proved(operator: Operator) -> None:
    result = operator.project.migrate("rollback", f"--only={B}", check=3)
    assert "needs a proof" in result.stderr
    assert operator.read_tables() == ["a", "b", "c"]


def test_the_down_file_that_runs_is_the_one_that_is_proved(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b (id int);", "DROP TABLE b; DROP TABLE c;")
    result = run(operator, f"--only={B}", check=3)
    assert "- table public.c" in result.stderr
    operator.remove(B)
    run(operator, f"--only={B}", check=0)
    assert operator.read_tables() == ["a", "c"]
