"""The commands that completion reads from syntax are those that Invoke has."""

from pathlib import Path

import pytest
from invoke.collection import Collection

from tasks import alerts, db, env
from tasks.commands.shell.completion import FIXED_ENVIRONMENTS
from tasks.commands.shell.definitions import read_commands
from tasks.runner import settings
from tests.kit.projects import REPOSITORY


def test_the_commands_and_their_flags_are_those_of_invoke() -> None:
    collection = Collection(*(Collection.from_module(module) for module in (db, env, alerts)))
    commands = read_commands(REPOSITORY / "tasks.py")
    assert list(commands) == sorted(collection.task_names)
    for context in collection.to_contexts():
        command = commands[context.name or ""]
        assert set(command.flags) == set(context.flag_names()), command.name
        assert all(command.takes_value(flag) == context.flags[flag].takes_value for flag in command.flags), command.name
        required = [argument.attr_name or argument.name for argument in context.positional_args if argument.kind is not list]
        assert list(command.positional) == required, command.name
        assert command.description, command.name


def test_the_fixed_environments_are_those_of_the_settings() -> None:
    assert FIXED_ENVIRONMENTS == settings.FIXED_ENVIRONMENTS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from invoke import task\n@task\ndef build_all(c, fast=False): pass\n", ["build-all"]),
        ("def broken(:\n", []),
        ("", []),
        ("@task(positional=names)\ndef build(c, a): pass\n", None),
    ],
    ids=["tasks of another project", "a file with an error", "an empty file", "what is not a literal"],
)
def test_other_files_for_invoke_are_read_as_far_as_possible(tmp_path: Path, text: str, names: list[str] | None) -> None:
    (tmp_path / "tasks.py").write_text(text)
    if names is None:
        with pytest.raises(ValueError, match="malformed"):
            read_commands(tmp_path / "tasks.py")
    else:
        assert list(read_commands(tmp_path / "tasks.py")) == names


def test_a_missing_file_has_no_commands(tmp_path: Path) -> None:
    assert read_commands(tmp_path / "tasks.py") == {}
