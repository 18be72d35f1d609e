"""Completion in real shells, as the documented line installs it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kit.dialogues import run_dialogue
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S
from tests.runner.operating import A

READY = "READY> "
INTERACTIVE = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i")}
SHOW = "\t\x01printf '[%s]' \x05\n"
"""Completes the line that was typed, then goes to its beginning, and changes it into one that prints its words."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project folder whose virtual environment has the program that the scripts make."""
    folder = tmp_path / "it's a project"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (folder / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "venv.sh", folder / "scripts")
    for name in ("tasks.py", "tasks"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / "migrations" / "up").mkdir(parents=True)
    (folder / "migrations" / "up" / f"{A}.sql").touch()
    (folder / "a page.html").touch()
    for name, words in (("python", []), ("invoke", ["-m", "invoke"])):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *words])} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "inv").touch(0o755)
    run(folder, "bash", "-c", "source scripts/venv.sh && point_inv")
    return folder


def make_environment(folder: Path) -> dict[str, str]:
    """Return the variables of a shell in which the virtual environment is active."""
    others = (path for path in os.environ.get("PATH", os.defpath).split(os.pathsep) if not Path(path, "inv").exists())
    path = os.pathsep.join([str(folder / ".venv" / "bin"), *others])
    return {"PATH": path, "HOME": str(folder), "TERM": "dumb", "PS1": READY, "LC_ALL": "C.UTF-8"}


def require(shell: str) -> None:
    """Skip the test if a shell is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder and return its output; fail if it printed an error."""
    require(command[0])
    result = subprocess.run(
        command, cwd=folder, env=make_environment(folder), capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def type_lines(folder: Path, shell: str, prepared: Sequence[str], lines: Sequence[str]) -> str:
    """Run lines in an interactive shell, then complete others by a key, and return what the terminal shows."""
    require(shell)
    answers = [*(f"{line}\n" for line in prepared), *(f"{line}{SHOW}" for line in lines), "exit\n"]
    command = INTERACTIVE[shell]
    return run_dialogue(command, answers, cwd=folder, environment=make_environment(folder), question=READY)[1]


CASES = (
    ("inv db.migr", "db.migrate"),
    ("inv db.migrate --dr", "--dry-run"),
    ("inv db.migrate --env st", "staging"),
    ("inv db.migrate --env=dev,st", "--env=dev,staging"),
    ("inv db.migrate --to=2025", f"--to={A}"),
    ("inv db.squash ", A),
)


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_completes_commands_flags_environments_and_versions(folder: Path, line: str, expected: str) -> None:
    script = f"inv --print-completion-script fish | source; complete --do-complete {shlex.quote(line)}"
    assert [found.partition("\t")[0] for found in run(folder, "fish", "-c", script).splitlines()] == [expected]


@pytest.mark.parametrize("flag", ["--html=", "--html "])
def test_fish_completes_the_names_of_files(folder: Path, flag: str) -> None:
    script = f"inv --print-completion-script fish | source; complete --do-complete 'inv db.status {flag}a'"
    assert run(folder, "fish", "-c", script) == f"{flag.strip() if '=' in flag else ''}a page.html\n"


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_a_key_completes_the_line_that_is_typed(folder: Path, shell: str) -> None:
    lines = [*(line for line, _ in CASES), "inv db.status --html=a", "inv db.status --html a"]
    typed = type_lines(folder, shell, [f"source <(inv --print-completion-script {shell})"], lines)
    for line, expected in CASES:
        assert "".join(f"[{word}]" for word in [*line.split(" ")[:-1], expected]) in typed
    assert "[--html=a page.html]" in typed
    assert "[--html][a page.html]" in typed


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_outside_of_the_virtual_environment_completion_is_silent(folder: Path, shell: str) -> None:
    source = f"source <(inv --print-completion-script {shell})"
    typed = type_lines(folder, shell, [source, f"mv {shlex.quote(str(folder / '.venv'))} gone"], ["inv db.migr"])
    assert "[inv][db.migr]" in typed
    assert "not found" not in typed


def test_outside_of_the_virtual_environment_completion_is_silent_in_fish(folder: Path) -> None:
    script = "inv --print-completion-script fish | source; mv .venv gone; complete --do-complete 'inv db.migr'"
    assert run(folder, "fish", "-c", script) == ""


def test_without_the_requirements_completion_works(folder: Path) -> None:
    (folder / ".venv" / "bin" / "python").write_text(
        f'#!/bin/sh\nexec {shlex.quote(getattr(sys, "_base_executable", sys.executable))} "$@"\n'
    )
    assert run(folder, "inv", "--complete", "--", "--exact", "inv", "db.migr") == "db.migrate\n"


def test_another_shell_is_named_in_the_error(folder: Path) -> None:
    command = ["inv", "--print-completion-script", "tcsh"]
    result = subprocess.run(command, cwd=folder, env=make_environment(folder), capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "bash, zsh, fish" in result.stderr
