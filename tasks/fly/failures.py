"""The error for a machine that printed no events: the usual reasons as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.fly.flyctl import hide_tokens
from tasks.fly.remote_commands import NO_FOLDER, NO_PYTHON
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RunnerError
from tasks.runner.redaction import redact
from tasks.runner.settings import URL_MISSING

if TYPE_CHECKING:
    from tasks.fly.stream import RemoteRun

REQUIREMENTS_LINES = (
    "COPY requirements.lock ./\n"
    "RUN pip install --require-hashes --only-binary :all: -r requirements.lock\n"
    "COPY tasks tasks/  and likewise scripts, migrations, seeds"
)
_OLDER = ("the image has an older version of this tool", "Deploy first, or use --upload.")
_REASONS = (
    (
        NO_FOLDER,
        "the image has no folder {folder}",
        "Set FLY_APP_DIR to the image's working directory, or deploy one that has it.",
    ),
    ("can't open file", "the image has no scripts/migrate.py in {folder}", "Deploy one that does, or use --upload."),
    (NO_PYTHON, "the image has no python on its PATH", "Deploy an image with Python 3.11 or newer."),
    ("No module named 'tasks", "the image has no tasks/ beside scripts/", "Deploy one that has both, or use --upload."),
    ("No module named", "the image's Python lacks a package of the runner", f"Its Dockerfile needs:\n{REQUIREMENTS_LINES}"),
    ("invalid choice", *_OLDER),
    ("unrecognized arguments", *_OLDER),
    (URL_MISSING, "the machine has no DATABASE_URL", "Set it: fly secrets set DATABASE_URL=… ; or attach a database."),
    ("No space left on device", "the machine's disk is full", "Free disk space on the machine, or deploy again."),
    (
        "executable file not found",
        "the image has no /bin/sh",
        "The runner needs /bin/sh in the image; use release_command instead.",
    ),
)
_UNTOUCHED = "Nothing was changed."


def describe_refusal(run: RemoteRun, *, folder: str, environment: str, untouched: bool = True) -> RunnerError:
    """Return the error for a run that printed no events; `untouched` states that it cannot have changed anything."""
    if run.exit_code is None:
        return RunnerError(
            f"the connection to {environment} was lost: {run.reason}", hint="Run the same command again.", state=_UNTOUCHED
        )
    words = redact(hide_tokens("\n".join((*run.noise, *run.errors)).strip()))
    last = words.splitlines()[-1] if words else "no output"
    for part, reason, hint in _REASONS:
        if part in words:
            message = reason.format(folder=folder or "/app")
            return RunnerError(f"{environment}: {message} ({last})", hint=hint, state=_UNTOUCHED)
    return RunnerError(
        f"{environment}: scripts/migrate.py ended with exit code {run.exit_code} and without a known event: {last}",
        hint=f"Check the environment: {compose_command('env.check', env=environment)}",
        state=_UNTOUCHED if untouched else "What it did is unknown; inv db.history shows the log.",
    )
