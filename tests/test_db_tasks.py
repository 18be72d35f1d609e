"""The db.* tasks as users run them: `inv` as a process, on a database whose URL is in the environment."""

import json
import re

import pytest

from tasks.runner.events import ErrorRaised, Event, HistoryRead, PlanMade, RunFinished, StatusRead, from_json
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)


def test_the_daily_commands_work_together(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.project.write_seed("001_one", "INSERT INTO a VALUES (1);")
    migrated = operator.project.inv("db.migrate", "db.seed", "db.status", check=0).stdout
    assert "Found 2 migration files" in migrated
    assert "✅ All migrations completed!" in migrated
    assert "🌱 Seeded 001_one" in migrated
    assert "2 applied" in migrated
    assert operator.database.query("TABLE a") == [(1,)]
    undone = operator.project.inv("db.rollback", "db.history", "--limit=2", check=0).stdout
    assert f"↩️  Rolled back {B}" in undone
    assert re.search(r": 2 of \d+ log rows, newest first$", undone, re.MULTILINE)
    assert operator.read_states() == {A: "applied", B: "pending"}


@pytest.mark.parametrize(
    ("arguments", "ends_with"),
    [
        (("db.migrate", "--verbose"), RunFinished),
        (("db.migrate", "--dry-run"), RunFinished),
        (("db.rollback",), RunFinished),
        (("db.seed",), RunFinished),
        (("db.repair",), RunFinished),
        (("db.status",), StatusRead),
        (("db.history",), HistoryRead),
    ],
)
def test_with_json_only_events_are_printed(operator: Operator, arguments: tuple[str, ...], ends_with: type[Event]) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B)
    operator.project.write_seed("001_one", "DO $$ BEGIN RAISE WARNING 'careful'; END $$;")
    result = operator.project.inv(*arguments, "--json", check=0)
    assert isinstance([from_json(line) for line in result.stdout.splitlines()][-1], ends_with)
    assert result.stderr == ""


def test_with_json_an_error_is_the_last_event(operator: Operator) -> None:
    operator.write(A, "SELECT 1/0;")
    result = operator.project.inv("db.migrate", "--json", check=1)
    error = from_json(result.stdout.splitlines()[-1])
    assert isinstance(error, ErrorRaised)
    assert (error.sqlstate, error.exit_code) == ("22012", 1)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("db.status", "--check"), 4, ""),
        (("db.status",), 0, ""),
        (("db.migrate", "--strict"), 3, f"{A} is older than {B}"),
        (("db.migrate", "--to=2024"), 2, "there is no version 2024"),
        (("db.migrate", "--env=staging"), 3, "this run is for staging, but the database belongs to local"),
        (("db.migrate", "--env=moon"), 2, "there is no environment moon"),
        (("db.rollback", "--steps=0"), 2, "--steps must be a whole number of at least 1 (got 0)"),
        (("db.history", "--version=2024"), 2, "there is no version 2024"),
    ],
)
def test_each_outcome_has_its_exit_code_and_message(
    operator: Operator, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    operator.write_tables(B)
    operator.migrate(environment="local")
    operator.write_tables(A)
    result = operator.project.inv(*arguments, check=exit_code)
    assert message in result.stderr
    assert bool(result.stderr) == bool(message)
    assert operator.read_tables() == ["b"]


def test_migrating_to_a_version_and_back(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.project.inv("db.migrate", f"--to={B[:14]}", check=0)
    assert operator.read_tables() == ["a", "b"]
    operator.project.inv("db.rollback", "--to=0", check=0)
    assert operator.read_tables() == []


def test_a_database_records_that_its_environment_is_local(operator: Operator) -> None:
    operator.write_tables(A)
    operator.project.inv("db.migrate", check=0)
    assert operator.read_status().environment == "local"


def test_invoke_and_the_script_make_the_same_plan(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();\nVACUUM;")
    operator.write_tables(C)
    outputs = (
        operator.project.inv("db.migrate", "--dry-run", "--json", check=0).stdout,
        operator.project.migrate("--dry-run", "--json", check=0).stdout,
    )
    first, second = ([json.loads(line) for line in output.splitlines()] for output in outputs)
    kind = PlanMade.kind
    assert [event for event in first if event["kind"] == kind] == [event for event in second if event["kind"] == kind]
    assert [event["kind"] for event in first] == [event["kind"] for event in second]


def test_a_repair_without_a_terminal_requires_yes(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);")
    refused = operator.project.inv("db.repair", check=3)
    assert f"🔧 {A}: record checksum" in refused.stdout
    assert "--yes" in refused.stderr
    assert operator.read_states() == {A: "edited"}
    operator.project.inv("db.repair", "--yes", check=0)
    assert operator.read_states() == {A: "applied"}


def test_every_task_is_listed_with_a_description(project: Project) -> None:
    listed = project.inv("--list", check=0).stdout
    lines = {line.split()[0]: line.split()[1:] for line in listed.splitlines() if line.strip().startswith("db.")}
    assert {f"db.{name}" for name in ("migrate", "rollback", "status", "history", "repair", "seed", "new", "stop")} <= set(lines)
    assert all(len(words) > 2 for words in lines.values())
