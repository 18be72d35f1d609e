"""The client of the worker program: requests to it, and its answers as values."""

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

from tasks.rehearsal.errors import ON_SCRATCH, ScratchError, TimeLimitError
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.errors import describe_error
from tasks.runner.events import ErrorRaised

_PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """The end of a run: killed or not, its statements by line and text, and its error, if any."""

    killed: bool
    statements: tuple[tuple[int, str], ...] = ()
    error: ErrorRaised | None = None


class CrashWorkers:
    """The worker program, whose child processes run migrations and are killed on request; to be used in a `with`."""

    def __init__(self, folder: Path, *, timeout_s: float | None = None) -> None:
        self._folder = folder.absolute()
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> CrashWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def run(self, database: ScratchDatabase, version: str, *, kill_after: int = 0) -> WorkerResult:
        """Apply one version to a database; kill the run after `kill_after` statements, or never if it is 0."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        request = {
            "url": database.url,
            "folder": str(self._folder),
            "directory": str(Path.cwd()),
            "version": version,
            "kill_after": kill_after,
        }
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self._timeout_s)[0]:
            self._end()
            return WorkerResult(killed=False, error=self._describe_timeout(version))
        line = process.stdout.readline()
        if not line:
            self._end()
            raise ScratchError("the process that runs the migrations ended unexpectedly", state=ON_SCRATCH)
        return _read_answer(json.loads(line))

    def _start(self) -> subprocess.Popen[str]:
        """Start the program in its own process group, so that Ctrl-C reaches only this process, which then ends the group."""
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
        message = f"{version} did not finish within {self._timeout_s:g} s and was stopped"
        hint = "Allow more time (--timeout), or check whether the statement can finish at all."
        return describe_error(TimeLimitError(message, hint=hint, state=ON_SCRATCH), "")


def _read_answer(answer: dict[str, object]) -> WorkerResult:
    if "signal" in answer:
        return WorkerResult(killed=answer["signal"] == signal.SIGKILL)
    statements, error = answer["statements"], answer["error"]
    assert isinstance(statements, list)
    assert isinstance(error, dict | None)
    return WorkerResult(False, tuple((line, text) for line, text in statements), ErrorRaised(**error) if error else None)
