"""A program whose children run operations and are killed during them: `python -m tests.stress.crash_worker`.

It reads one request per line from standard input, as JSON, and answers with one line: the events of the child, or why it
ended. A child is a forked process, so that it need not import anything.
"""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from tasks.rehearsal.crash_test.worker import serve
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.migrate import migrate, rollback
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal


@dataclass(frozen=True)
class CrashRequest:
    """A request to a child: `to` as in the commands; at event number `end_at`, from 1, it ends by `end` (kill or close)."""

    url: str
    folder: str
    action: str
    to: str = ""
    end_at: int = 0
    end: str = "kill"

    def to_json(self) -> str:
        """Return the request as one line."""
        return json.dumps(asdict(self))


def run_request(line: dict[str, Any]) -> NoReturn:
    """Run a request, in a child."""
    request = CrashRequest(**line)
    kinds: list[tuple[str, str]] = []
    error = ""
    try:
        events = open_operation(request)
        for number, event in enumerate(events, 1):
            kinds.append((event.kind, getattr(event, "version", "")))
            if number == request.end_at:
                if request.end == "close":
                    # As when the reader of the events stops.
                    events.close()  # type: ignore[attr-defined]
                    break
                os.kill(os.getpid(), signal.SIGKILL)
    except RunnerError as raised:
        error = f"{raised.message}\n{raised.state}\n{raised.hint}"
    print(json.dumps({"events": kinds, "error": error}), flush=True)
    os._exit(0)


def open_operation(request: CrashRequest) -> Iterator[Event]:
    """Return the events of the requested operation."""
    runner = MigrationRunner(request.url, migrations_dir=request.folder, watch_drift=False)
    if request.action == "migrate":
        return migrate(runner, MigrateGoal(to=request.to))
    return rollback(runner, RollbackGoal(to=request.to))


if __name__ == "__main__":
    serve(run_request)
