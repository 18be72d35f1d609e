"""What can go wrong: one base with an exit code and a next step, and few children that carry fields."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import ErrorRaised
from tasks.runner.redaction import redact, redact_line

RESUME_HINT = "Run the same command again: it goes on where this one stopped."
STEPS_ARE_RECOUNTED = "Look first what is applied now, since a rollback counts its steps anew:"


@dataclass(frozen=True, slots=True)
class Place:
    """Name the spot in a file that an error speaks of; line and column count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class RunnerError(Exception):
    """Stop an operation and say what happened, where, what stands in the database, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", state: str = "", place: Place | None = None, sqlstate: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.state = state
        self.place = place
        self.sqlstate = sqlstate


class UsageError(RunnerError):
    """Refuse a command that was not used as it can be."""

    exit_code = 2


class RefusedError(RunnerError):
    """Refuse to go on; nothing was changed."""

    exit_code = 3


class FilesError(RefusedError):
    """Refuse a folder of files; `problems` lists every offender, so that one look mends all."""

    def __init__(self, message: str, problems: tuple[str, ...], *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(
            "\n".join((message, *(f"  {problem}" for problem in problems))),
            hint=hint,
            state="Nothing was changed.",
            place=place,
        )
        self.problems = problems


class ReportedError(RunnerError):
    """End with an exit code after an event told the error already."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ConnectError(RunnerError):
    """Report that no session with the database could be had."""


class StatementError(RunnerError):
    """Report the statement of a migration that the server refused."""


class LockLostError(RunnerError):
    """Report that the session which held the lock is gone, so that nothing more may be changed."""


class RunInterruptedError(RunnerError):
    """Report that a signal ended the run."""


class Interruption(KeyboardInterrupt):
    """Carry the signal that asks the process to stop to the statement that runs."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


def describe_error(error: RunnerError, url: str) -> ErrorRaised:
    """Turn an error into the event that the report prints, without any password."""
    place = error.place or Place("")
    source, column = redact_line(place.source, place.column, url)
    return ErrorRaised(
        message=redact(error.message, url),
        hint=redact(error.hint, url),
        state=redact(error.state, url),
        file=place.file,
        line=place.line,
        column=column,
        source=source,
        sqlstate=error.sqlstate,
        exit_code=error.exit_code,
    )
