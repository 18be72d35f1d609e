"""What can go wrong with a rehearsal itself, besides what the server says of a migration."""

from __future__ import annotations

from tasks.runner.errors import Place, RunnerError

UNTOUCHED = "This was on a scratch database; no other was changed."


class ScratchError(RunnerError):
    """Report that no scratch database could be had."""


class MissingExtensionError(RunnerError):
    """Report that the scratch server lacks an extension which a file creates."""

    def __init__(self, extension: str, *, place: Place | None, sqlstate: str) -> None:
        super().__init__(
            f"the scratch server has no extension {extension}, which {place or 'a file'} creates",
            hint="Set SCRATCH_DATABASE_URL to a server that has it,\n"
            f"or leave out what needs it: --without-extension {extension}",
            state=UNTOUCHED,
            place=place,
            sqlstate=sqlstate,
        )
        self.extension = extension


class TimeLimitError(RunnerError):
    """Report a migration that was not done when its time was over."""


class ServerWideError(RunnerError):
    """Refuse to rehearse a statement that would destroy something outside the scratch database."""
