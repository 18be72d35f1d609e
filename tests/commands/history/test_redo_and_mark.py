"""db.redo and db.mark: `inv` and scripts/migrate.py as processes."""

import json

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose local database has the migration A; B is pending."""
    operator = Operator(project, database)
    operator.write_tables(A)
    operator.migrate(environment="local")
    operator.write_tables(B)
    return operator


def test_the_message_about_the_newest_edited_file_offers_redo(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id bigint);")
    refused = operator.project.inv("db.migrate", check=3)
    assert "inv db.redo" in refused.stdout + refused.stderr
    assert "inv db.redo" in operator.project.inv("db.status", check=0).stdout
    done = operator.project.inv("db.redo", check=0).stdout
    assert f"↩️  Rolled back {A}" in done
    assert f"✅ Applied {A}" in done
    operator.project.inv("db.migrate", check=0)


def test_the_message_about_an_older_edited_file_offers_a_rollback(operator: Operator) -> None:
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);")
    refused = operator.project.inv("db.migrate", check=3)
    assert "inv db.rollback --steps=2, then inv db.migrate" in refused.stderr
    assert "inv db.redo" not in refused.stderr


def test_another_environment_is_not_offered_redo(operator: Operator) -> None:
    operator.database.execute("UPDATE schema_migrations_meta SET value = 'staging' WHERE key = 'environment'")
    operator.write(A, "CREATE TABLE a (id bigint);")
    refused = operator.project.migrate("migrate", "--env=staging", check=3)
    assert "redo" not in refused.stdout + refused.stderr


def test_redo_prints_a_plan_of_both_steps(operator: Operator) -> None:
    shown = operator.project.inv("db.redo", "--dry-run", check=0).stdout
    assert f"1. roll back {A}" in shown
    assert f"2. apply {A}" in shown
    lines = [json.loads(line) for line in operator.project.inv("db.redo", "--json", check=0).stdout.splitlines()]
    assert [line["action"] for line in lines if line["kind"] == "step_finished"] == ["rollback", "migrate"]


@pytest.mark.parametrize(("answer", "code", "applied"), [("y\n", 0, [A, B]), ("n\n", 0, [A]), ("\x04", 0, [A])])
def test_mark_asks_in_a_terminal(operator: Operator, answer: str, code: int, applied: list[str]) -> None:
    result, output = operator.project.answer_inv("db.mark", B, answers=[answer])
    assert result == code
    assert f"Record {B} as applied, without running it? [y/N]" in output
    assert operator.read_applied() == applied


def test_mark_needs_a_terminal_or_yes(operator: Operator) -> None:
    assert (
        "this needs confirmation, but the input is not a terminal" in operator.project.inv("db.mark", B, check=3, input="").stderr
    )
    operator.project.inv("db.mark", B, "--yes", "--json", check=0)
    assert operator.read_applied() == [A, B]
    operator.project.inv("db.mark", B, "--unmark", "--yes", check=0)
    assert operator.read_applied() == [A]


def test_mark_of_an_unknown_version_is_wrong_usage(operator: Operator) -> None:
    assert "there is no version" in operator.project.inv("db.mark", "20990101000000_x", "--yes", check=2).stderr


def test_mark_on_a_server(operator: Operator) -> None:
    operator.project.migrate("mark", B[:14], check=3, input="")
    operator.project.migrate("mark", B[:14], "--yes", check=0)
    assert operator.read_applied() == [A, B]
    operator.project.migrate("mark", "--unmark", B[:14], "--yes", check=0)
    assert operator.read_applied() == [A]
