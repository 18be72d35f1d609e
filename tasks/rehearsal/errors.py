"""Errors of a rehearsal itself, in addition to the server's errors about a migration."""

from __future__ import annotations

from tasks.runner.errors import Place, RunnerError

ON_SCRATCH = "This ran on a scratch database."
"""What is known: rehearsed SQL that runs as a superuser may do anything."""


class ScratchError(RunnerError):
    """No scratch database could be created."""


class MissingExtensionError(RunnerError):
    """The scratch server lacks an extension that a migration creates."""

    def __init__(self, extension: str, *, place: Place | None, sqlstate: str) -> None:
        super().__init__(
            f"the scratch server has no extension {extension}, which {place or 'a file'} creates",
            hint="Set SCRATCH_DATABASE_URL to a server that has it,\n"
            f"or skip the statements that need it: --without-extension {extension}",
            state=ON_SCRATCH,
            place=place,
            sqlstate=sqlstate,
        )
        self.extension = extension


class LockedOutError(RunnerError):
    """No run can begin on a scratch database, because of what a migration changed."""


class TimeLimitError(RunnerError):
    """A migration exceeded its time limit."""


class ServerWideError(RunnerError):
    """A statement would destroy something outside the scratch database."""
