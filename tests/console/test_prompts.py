"""Confirmation of a repair at a terminal, and the refusal without one."""

import os
import signal
import sys

import pytest

from tests.kit.dialogues import END_OF_INPUT, run_dialogue
from tests.kit.projects import REPOSITORY
from tests.runner.operating import A, B, Operator

SCRIPT = (str(REPOSITORY / "scripts" / "migrate.py"), "repair")
INVOKE = ("-m", "invoke", "--search-root", str(REPOSITORY), "db.repair")


@pytest.fixture
def edited(operator: Operator) -> Operator:
    """Return an operator with an edited file and a missing one."""
    operator.write_tables(A, B)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);")
    operator.remove(B)
    return operator


def repair_at_terminal(operator: Operator, *answers: str | signal.Signals, by: tuple[str, ...] = SCRIPT) -> tuple[int, str]:
    project = operator.project
    environment = {"PATH": os.environ["PATH"], "HOME": str(project.root), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    environment |= {"DATABASE_URL": project.database_url, "MIGRATIONS_DIR": str(project.migrations)}
    return run_dialogue([sys.executable, *by], answers, cwd=project.root, environment=environment)


@pytest.mark.parametrize("by", [SCRIPT, INVOKE], ids=["script", "invoke"])
def test_each_repair_is_confirmed_at_a_terminal(edited: Operator, by: tuple[str, ...]) -> None:
    exit_code, output = repair_at_terminal(edited, "y\n", "n\n", by=by)
    assert exit_code == 0
    assert f"🔧 {A}: record checksum" in output
    assert "-CREATE TABLE a (id int);" in output
    assert f"Record the text of {A} as the applied one? The database itself is not changed. [y/N]" in output
    assert f"Forget {B}? " in output
    assert "✅ Repaired the ledger: 1 change" in output
    assert edited.read_states() == {A: "applied", B: "missing"}


@pytest.mark.parametrize("answer", ["\n", "no\n", "what?\n", END_OF_INPUT])
def test_only_y_or_yes_confirms(edited: Operator, answer: str) -> None:
    exit_code, output = repair_at_terminal(edited, answer, " YES \n")
    assert exit_code == 0
    assert "✅ Repaired the ledger: 1 change" in output
    assert edited.read_states() == {A: "edited"}


def test_an_interrupt_at_a_question_changes_nothing(edited: Operator) -> None:
    exit_code, _ = repair_at_terminal(edited, "y\n", signal.SIGINT)
    assert exit_code == 1
    assert edited.read_states() == {A: "edited", B: "missing"}


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_without_a_terminal_a_repair_is_refused(edited: Operator, flags: tuple[str, ...]) -> None:
    result = edited.project.migrate("repair", *flags, input="y\ny\n", check=3)
    assert "this needs confirmation, but the input is not a terminal" in result.stderr
    assert "--yes" in result.stderr
    assert edited.read_states() == {A: "edited", B: "missing"}


def test_a_dry_run_with_changes_does_not_report_that_there_is_nothing_to_repair(edited: Operator) -> None:
    output = edited.project.migrate("repair", "--dry-run", check=0).stdout
    assert output.endswith("✅ Nothing was changed: 2 changes proposed, none confirmed\n")
    assert edited.read_states() == {A: "edited", B: "missing"}


def test_yes_confirms_every_repair(edited: Operator) -> None:
    result = edited.project.migrate("repair", "--yes", check=0)
    assert "✅ Repaired the ledger: 2 changes" in result.stdout
    assert edited.read_states() == {A: "applied"}


def test_with_nothing_to_repair_no_terminal_is_needed(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    assert operator.project.migrate("repair", check=0).stdout.endswith("✅ Nothing to repair\n")
