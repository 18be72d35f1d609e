"""The command line of scripts/migrate.py: its help, and wrong usage, as a process."""

import re

import pytest

from tasks.console.script import _INTERNAL
from tests.kit.projects import Project

COMMANDS = ("migrate", "rollback", "status", "history", "load", "seed", "repair")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("migrat",), "invalid choice: 'migrat'", "Did you mean migrate?"),
        (("zzzzz",), "invalid choice: 'zzzzz'", "The commands are migrate, rollback, status"),
        (("prob",), "invalid choice: 'prob'", "The commands are migrate"),
        (("--dryrun",), "unrecognized arguments: --dryrun", "Did you mean --dry-run?"),
        (("migrate", "--dry_run"), "unrecognized arguments: --dry_run", "Did you mean --dry-run?"),
        (("--dry",), "unrecognized arguments: --dry", "Did you mean --dry-run?"),
        (("status", "--chek"), "unrecognized arguments: --chek", "Did you mean --check?"),
        (("rollback", "--step=2"), "unrecognized arguments: --step=2", "Did you mean --steps?"),
        (("--json", "status"), "unrecognized arguments: status", "Write the command first: migrate.py status"),
        (("migrate", "prod"), "unrecognized arguments: prod", ""),
        (("--to",), "argument --to: expected one argument", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_names_what_may_be_meant_and_exits_with_2(
    project: Project, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    refused = project.migrate(*arguments, check=2)
    assert message in refused.stderr
    assert hint in refused.stderr
    assert not any(re.search(rf"\b{name}\b", refused.stderr.partition("error:")[2].partition("\n")[2]) for name in _INTERNAL)
    assert refused.stdout == ""


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_lists_the_commands_for_users_alone(project: Project, flag: str) -> None:
    printed = project.migrate(flag, check=0).stdout
    listed = re.findall(r"^    ([a-z]+) +\S", printed, re.MULTILINE)
    assert set(COMMANDS) <= set(listed)
    assert not set(_INTERNAL) & set(listed)
    assert "Without a command, migrate.py" in printed.replace("\n", " ")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_explains_every_flag(project: Project, command: str) -> None:
    printed = project.migrate(command, "--help", check=0).stdout
    unexplained = re.findall(r"^  (-\S+(?: [A-Z]\S*)?)(?=\n(?:  -|\n|$))", printed, re.MULTILINE)
    assert not unexplained
