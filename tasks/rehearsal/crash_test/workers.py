"""The other end of the program whose children die: requests to it, and its answers as values."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tasks.rehearsal.errors import UNTOUCHED, ScratchError, TimeLimitError
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.errors import describe_error
from tasks.runner.events import ErrorRaised

_PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Ended:
    """Tell how a run ended: killed, or by itself, perhaps with an error; and its statements, by line and text."""

    killed: bool
    statements: tuple[tuple[int, str], ...] = ()
    error: ErrorRaised | None = None


class CrashWorkers:
    """Have migrations run by processes that can be told to die; to be used in a `with`, whose end ends them all."""

    def __init__(self, folder: Path, *, timeout_s: float | None = None) -> None:
        self._folder = folder.absolute()
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> CrashWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def run(self, database: ScratchDatabase, version: str, *, die_after: int = 0) -> Ended:
        """Apply one version to a database, and die after so many statements; 0 means to live."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        request = {
            "url": database.url,
            "folder": str(self._folder),
            "here": str(Path.cwd()),
            "version": version,
            "die_after": die_after,
        }
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self._timeout_s)[0]:
            self._end()
            return Ended(killed=False, error=self._describe_timeout(version))
        line = process.stdout.readline()
        if not line:
            self._end()
            raise ScratchError("the process that runs the migrations ended unexpectedly", state=UNTOUCHED)
        return _read_answer(json.loads(line))

    def _start(self) -> subprocess.Popen[str]:
        """Start the program in a group of its own, so that a Ctrl-C reaches this process alone, which then ends them all."""
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.rehearsal.crash_test.worker"],
            cwd=_PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _describe_timeout(self, version: str) -> ErrorRaised:
        message = f"{version} was not done after {self._timeout_s:g} s, and was stopped"
        hint = "Give it more time (--timeout), or look for what never ends."
        return describe_error(TimeLimitError(message, hint=hint, state=UNTOUCHED), "")


def _read_answer(answer: dict[str, object]) -> Ended:
    if "signal" in answer:
        return Ended(killed=answer["signal"] == signal.SIGKILL)
    statements, error = answer["statements"], answer["error"]
    assert isinstance(statements, list)
    assert isinstance(error, dict | None)
    return Ended(False, tuple((line, text) for line, text in statements), ErrorRaised(**error) if error else None)
