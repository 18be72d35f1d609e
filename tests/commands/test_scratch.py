"""One place opens the scratch server, and each command that has one has the same flags."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.tasks import Task

import tasks.db
from tasks.commands.scratch import read_extensions

TASKS = Path(__file__).parents[2] / "tasks"
OPENERS = {
    "open_server": {"commands/scratch.py"},
    # A dump is read by a role without rights too, on the server of the database that it replaces. Tests copy databases of theirs.
    # A worker opens the server that its command has opened.
    "ScratchServer": {
        "rehearsal/scratch/opening.py",
        "commands/dumps/restore.py",
        "testing.py",
        "rehearsal/verify/workers/worker.py",
    },
    # The database of the local environment is on the embedded server too.
    "embedded.start": {"config/environments.py", "postgres/server/for_tests.py", "rehearsal/scratch/opening.py"},
}
"""By what opens a server: the modules that may call it."""
FLAGS = {"without_extension", "as_superuser", "json"}
COMPLETE = {"schema"}
"""The commands whose result is used as it is, so that nothing can be left out of it."""
REHEARSING = {
    name: task
    for name, task in Collection.from_module(tasks.db).tasks.items()
    if any(
        call in inspect.getsource(inspect.getmodule(task.body) or tasks)
        for call in ("open_scratch", "run_rehearsal", "forecast_environment")
    )
}
"""The commands whose module opens a scratch server."""
HELP = {name: set(task.help) for name, task in REHEARSING.items()}
"""Read here, because Invoke removes the texts from a task when it parses a command line."""


def list_calls() -> Iterator[tuple[str, str]]:
    """Yield module and name of each call in tasks/."""
    for path in TASKS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(TASKS).as_posix(), ast.unparse(node.func)


def test_only_one_place_opens_the_scratch_server() -> None:
    calls = {(module, name) for module, name in list_calls() if name in OPENERS}
    assert calls == {(module, name) for name, modules in OPENERS.items() for module in modules}


def test_the_commands_that_rehearse_are_found() -> None:
    assert {"adopt", "cleanup-legacy", "drift", "plan", "squash", "test-crash", "verify"} <= REHEARSING.keys()


@pytest.mark.parametrize("task", REHEARSING.values(), ids=REHEARSING.keys())
def test_each_command_with_a_scratch_server_has_its_flags(task: Task[Any]) -> None:
    flags = FLAGS - {"without_extension"} if task.name in COMPLETE else FLAGS
    assert inspect.signature(task.body).parameters.keys() >= flags
    assert HELP[task.name] >= flags


@pytest.mark.parametrize(
    ("given", "names"), [("a,b c", ("a", "b", "c")), (["a,b", "uuid-ossp"], ("a", "b", "uuid-ossp")), ([], ()), ("", ())]
)
def test_extensions_are_separated_by_commas_or_given_one_by_one(given: str | list[str], names: tuple[str, ...]) -> None:
    assert read_extensions(given) == names
