"""Fixtures of the fault injection tests."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kit.projects import REPOSITORY
from tests.stress.crash_worker import CrashRequest


@dataclass
class Answer:
    """How a child of the crash worker ended: its events, an error, or the signal that killed it."""

    events: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
    signal: int = 0


@pytest.fixture(scope="session")
def ask_worker() -> Iterator[Callable[[CrashRequest], Answer]]:
    """Yield a function that runs a request in a process, until it ends or is killed."""
    command = [sys.executable, "-m", "tests.stress.crash_worker"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(request: CrashRequest) -> Answer:
            stdin.write(request.to_json() + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return Answer(**answer)

        yield ask
        stdin.close()
