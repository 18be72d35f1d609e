"""Errors of a rehearsal itself, in addition to the server's errors about a migration."""

from __future__ import annotations

from tasks.runner.errors import RunnerError

ON_SCRATCH = "This ran on a scratch database."
"""What is known: rehearsed SQL that runs as a superuser may do anything."""


class ScratchError(RunnerError):
    """No scratch database could be created."""


class LockedOutError(RunnerError):
    """No run can begin on a scratch database, because of what a migration changed."""


class TimeLimitError(RunnerError):
    """A migration exceeded its time limit."""


class ServerWideError(RunnerError):
    """A statement would destroy something outside the scratch database."""
