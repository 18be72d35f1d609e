"""A program whose child processes run migrations and are killed: `python -m tasks.rehearsal.crash_test.worker`.

It reads one request per line from standard input, as JSON, and answers each with one line. A child is ended by SIGKILL, like a
process that the kernel kills. It is forked from this process to save the time of the imports. URLs are in the requests, because
other users of the machine can see arguments.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import tasks.runner.execution.locked_run
import tasks.runner.parsing.parser  # noqa: F401 - imported late by a run, so import it before the fork
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.events import StatementFinished, StatementStarted
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal


def serve(handle: Callable[[dict[str, Any]], NoReturn]) -> None:
    """Handle requests until standard input ends, each in a child process; report the signal that ended a child."""
    # Garbage collection in a child would copy the memory that it shares with this process.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            handle(json.loads(line))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print(json.dumps({"signal": os.WTERMSIG(status)}), flush=True)


def _apply(request: dict[str, Any]) -> NoReturn:
    """Apply one version; kill this process after as many statements as requested."""
    answer: dict[str, Any] = {"statements": [], "error": None}
    done = 0
    os.chdir(request["directory"])
    try:
        runner = MigrationRunner(request["url"], migrations_dir=request["folder"], watch_drift=False)
        for event in migrate(runner, MigrateGoal(only=request["version"])):
            if isinstance(event, StatementStarted):
                answer["statements"].append([event.line, event.text])
            if isinstance(event, StatementFinished):
                done += 1
                if done == request["kill_after"]:
                    os.kill(os.getpid(), signal.SIGKILL)
    except RunnerError as error:
        answer["error"] = asdict(describe_error(error, request["url"]))
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    serve(_apply)
