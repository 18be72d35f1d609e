"""A program that verifies migrations: `python -m tasks.rehearsal.verify.workers.worker`.

It reads a task from standard input, and then one request per line: the versions to verify. Each result is a line of JSON.
The task is pickled, since only the process that starts the program writes it. The URL is in it, because other users of the
machine can see arguments. At the end of the input, the program drops its databases and reports which stand-ins were used.
"""

from __future__ import annotations

import json
import pickle
import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import FileVerifier, VerifyOptions
from tasks.runner.events import to_json


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """What all requests have in common: the scratch server, the selection and the options."""

    url: str
    without: tuple[str, ...]
    embedded: bool
    as_superuser: bool
    target_version: int
    selection: Selection
    options: VerifyOptions


def work(task: VerifyTask) -> None:
    """Handle requests until standard input ends."""
    by_version = {migration.name: migration for migration in task.selection.list_chosen()}
    server = ScratchServer(task.url, without=task.without, embedded=task.embedded, as_superuser=task.as_superuser)
    server.target_version = task.target_version
    with server:
        with FileVerifier(server, task.options) as verifier:
            while line := sys.stdin.buffer.readline():
                for version in json.loads(line):
                    print(to_json(verifier.verify(task.selection, by_version[version])), flush=True)
                print("[]", flush=True)
        print(json.dumps(server.stand_ins), flush=True)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave all `with` statements, so that the databases are dropped; a second signal must not interrupt that.

    For KeyboardInterrupt, psycopg cancels the running statement, so that the session can be used for that.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        work(pickle.load(sys.stdin.buffer))
    except KeyboardInterrupt:
        sys.exit(1)
