"""What all commands have in common: their short flags, and Invoke's own flags."""

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, Operator

COMMANDS = ("db.migrate", "db.rollback", "db.seed", "db.repair")
SHORT_FLAGS = {"-e", "-j", "-v", "-y"}


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    operator = Operator(project, database)
    operator.write_tables(A)
    return operator


@pytest.mark.parametrize(
    "arguments",
    [
        ("db.migrate", "--dry"),
        ("db.migrate", "-R"),
        ("--dry", "db.migrate"),
        ("-R", "db.migrate", "db.seed"),
        ("db.migrate", "db.seed", "--dry"),
    ],
    ids=" ".join,
)
def test_the_dry_flag_of_invoke_is_a_dry_run_wherever_it_is_written(operator: Operator, arguments: tuple[str, ...]) -> None:
    operator.project.write_seed("001_one", "CREATE TABLE seeded ();")
    assert "Dry run" in operator.project.inv(*arguments, check=0).stdout
    assert operator.read_tables() == []


def test_the_dry_variable_of_invoke_is_a_dry_run(operator: Operator) -> None:
    operator.project.inv("db.migrate", env={"INVOKE_RUN_DRY": "1"}, check=0)
    assert operator.read_tables() == []


@pytest.mark.parametrize("flag", ["--dry", "-R", "--dry-run"])
def test_a_rollback_and_a_repair_follow_every_form_of_the_dry_run(operator: Operator, flag: str) -> None:
    operator.migrate()
    operator.project.inv("db.rollback", flag, check=0)
    operator.write(A, "CREATE TABLE changed ();")
    repaired = operator.project.inv("db.repair", flag, check=0)
    assert "🔧" in repaired.stdout
    assert operator.read_tables() == ["a"]
    assert operator.read_states() == {A: "edited"}


@pytest.mark.parametrize("command", ["db.status", "db.load", "db.adopt", "db.stop", "env.list", "alerts.test"])
def test_a_command_without_a_dry_run_refuses_the_flag(operator: Operator, command: str) -> None:
    assert "has no dry run" in operator.project.inv(command, "--dry", check=2).stderr


@pytest.mark.parametrize("flag", ["-d", "-p", "-w"])
def test_a_flag_of_invoke_after_a_command_is_no_flag_of_the_command(operator: Operator, flag: str) -> None:
    refused = operator.project.inv("db.migrate", flag, check=2)
    assert "not a flag of this command" in refused.stderr
    assert operator.read_tables() == []


def test_the_help_flag_is_short_in_every_command_and_no_other_short_flag_differs(operator: Operator) -> None:
    from tasks import alerts, db, env
    from tasks.commands.command import CommandTask

    tasks = [value for module in (db, env, alerts) for value in vars(module).values() if isinstance(value, CommandTask)]
    assert len(tasks) > 15
    for task in tasks:
        flags = {flag: argument.name for argument in task.get_arguments() for flag in argument.names if len(flag) == 1}
        assert flags.items() <= {"e": "env", "j": "json", "v": "verbose", "y": "yes", "x": "x"}.items()
    for command in ("db.status", "db.migrate"):
        assert f"Usage: inv {command} [FLAGS]" in operator.project.inv(command, "-h", check=0).stdout
