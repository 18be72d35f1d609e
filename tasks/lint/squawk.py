"""Run squawk (https://squawkhq.com/docs/cli): one process for all files.

It gets the statements at their lines, each transaction between BEGIN and COMMIT on these lines, without comments and without
the data of COPY: which statements share a transaction, and which comments ignore a rule, is decided here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.lint.model import LintedFile, LintedStatement, SquawkWarning
from tasks.lint.trees import find_commands
from tasks.runner.errors import RunnerError

_MAJOR = 10000
_LONGEST_S = 120


class SquawkError(RunnerError):
    """Squawk is not installed, or did not answer as expected."""


def run_squawk(files: Sequence[LintedFile], server_version: int) -> Mapping[str, tuple[SquawkWarning, ...]]:
    """Return the warnings for each version; raises SquawkError if there is no squawk, or no answer of it."""
    if not files:
        return {}
    program = Path(sys.executable).with_name("squawk")
    if not program.is_file():
        raise SquawkError(
            f"squawk is not installed: there is no {program.name} beside {Path(sys.executable).name}",
            hint="Install what the tool needs: .venv/bin/pip install -r requirements.txt",
            state="Nothing was checked.",
        )
    with TemporaryDirectory(prefix="migrate-lint-") as folder:
        layouts = [_Layout(file) for file in files]
        names = [f"{number}.sql" for number in range(len(files))]
        for name, layout in zip(names, layouts, strict=True):
            Path(folder, name).write_text(layout.text, encoding="utf-8", newline="")
        version = [f"--pg-version={server_version // _MAJOR}.0"] if server_version else []
        command = [str(program), "--reporter=json", *version, *names]
        answers = _run(command, folder)
    found: dict[str, list[SquawkWarning]] = {file.version: [] for file in files}
    for answer in answers:
        number = int(str(answer["file"]).rpartition("/")[2].removesuffix(".sql"))
        warning = layouts[number].locate(answer)
        if warning is not None:
            found[files[number].version].append(warning)
    return {version: tuple(warnings) for version, warnings in found.items()}


def _run(command: Sequence[str], folder: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LONGEST_S, encoding="utf-8", check=False
        )
        answers: list[dict[str, Any]] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SquawkError(f"squawk could not be run: {error}", state="Nothing was checked.") from error
    except ValueError as error:
        raise SquawkError(
            f"squawk did not answer with JSON (exit code {done.returncode}): {done.stderr.strip()[:500]}",
            hint="Install the version that requirements.txt names: .venv/bin/pip install -r requirements.txt",
            state="Nothing was checked.",
        ) from error
    return answers


class _Layout:
    """The text of a file for squawk, and where each statement begins in it."""

    def __init__(self, file: LintedFile) -> None:
        self._statements = file.statements
        self._starts: list[tuple[int, int]] = []
        """Line and column of each statement, from 0; columns are bytes, as in squawk's answers."""
        self._parts: list[str] = []
        self._line, self._column = 0, 0
        edges = [0, *(each.segment for each in file.statements), 0]
        for place, statement in enumerate(file.statements):
            self._write("\n" * (statement.line - 1 - self._line))
            self._write("BEGIN;" if statement.transactional and edges[place] != statement.segment else "")
            self._starts.append((self._line, self._column))
            # Squawk must not obey the comments inside a statement.
            self._write(f"{statement.text.replace('squawk-ignore', 'squawk_ignore')};")
            self._write("COMMIT;" if statement.transactional and edges[place + 2] != statement.segment else "")
        self._write("\n")
        self.text = "".join(self._parts)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._line += text.count("\n")
        last = text.rpartition("\n")[2]
        self._column = len(last.encode()) + (0 if "\n" in text else self._column)

    def locate(self, answer: Mapping[str, Any]) -> SquawkWarning | None:
        """Return the warning of an answer, or None if it is outside of all statements."""
        place = (int(answer["line"]), int(answer["column"]))
        number = sum(start <= place for start in self._starts)
        if not number:
            return None
        statement, start = self._statements[number - 1], self._starts[number - 1]
        command = _find_command(statement, (place[0] - start[0], place[1] - (start[1] if place[0] == start[0] else 0)))
        return SquawkWarning(str(answer["rule_name"]), number, place[0] + 1, command)


def _find_command(statement: LintedStatement, place: tuple[int, int]) -> int:
    """Return which command of an ALTER TABLE contains a line and a byte of the statement, from 0; -1 if it has none."""
    lines = statement.text.split("\n")
    if place[0] >= len(lines):
        return -1
    column = len(lines[place[0]].encode()[: place[1]].decode(errors="ignore"))
    offset = sum(len(line) + 1 for line in lines[: place[0]]) + column
    starts = find_commands(statement)
    # A constraint of a column begins inside of its command; a warning about the whole statement before the first one.
    following = next((index for index, (_, end) in enumerate(pairwise(starts)) if offset < end), len(starts) - 1)
    return following if starts else -1
