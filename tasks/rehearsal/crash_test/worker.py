"""A program whose children run migrations and die in the midst of them: `python -m tasks.rehearsal.crash_test.worker`.

It takes one request a line on its standard input, as JSON, and answers each with one line. A child is a process of its own, ended
by SIGKILL like one that the machine ends; but it is forked from here, and so saves itself the imports. URLs come by the input,
because arguments can be seen by everybody on the machine.
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
import tasks.runner.parsing.parser  # noqa: F401 - what a run imports late, the children find imported
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.events import StatementFinished, StatementStarted
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.plan import MigrateGoal


def serve(obey: Callable[[dict[str, Any]], NoReturn]) -> None:
    """Answer requests until there are no more, each in a child that obeys it and dies, or ends."""
    # A child that collects garbage would copy the memory that it shares with us.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            obey(json.loads(line))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print(json.dumps({"signal": os.WTERMSIG(status)}), flush=True)


def _apply(request: dict[str, Any]) -> NoReturn:
    """Apply one version, and die after so many statements."""
    answer: dict[str, Any] = {"statements": [], "error": None}
    done = 0
    os.chdir(request["here"])
    try:
        runner = MigrationRunner(request["url"], migrations_dir=request["folder"], watch_drift=False)
        for event in migrate(runner, MigrateGoal(only=request["version"])):
            if isinstance(event, StatementStarted):
                answer["statements"].append([event.line, event.text])
            if isinstance(event, StatementFinished):
                done += 1
                if done == request["die_after"]:
                    os.kill(os.getpid(), signal.SIGKILL)
    except RunnerError as error:
        answer["error"] = asdict(describe_error(error, request["url"]))
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    serve(_apply)
