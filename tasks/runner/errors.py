"""The errors of the runner: one base class with an exit code and a next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.runner.events import ErrorRaised, Event

RESUME_HINT = "Run the same command again: it resumes where this run stopped."
STEPS_ARE_RECOUNTED = "Check the current state first, because a rollback counts its steps from there:"


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an error in a file; line and column count from 1, and 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class RunnerError(Exception):
    """The base of all errors: what happened, where, the state of the database, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", state: str = "", place: Place | None = None, sqlstate: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.state = state
        self.place = place
        self.sqlstate = sqlstate
        self.announced: Event | None = None
        """The last event that was printed before the error."""


class UsageError(RunnerError):
    """A command was used wrongly."""

    exit_code = 2


class RefusedError(RunnerError):
    """An operation was refused; nothing was changed."""

    exit_code = 3


class PlanChangedError(RefusedError):
    """The plan is no longer the one that was made, shown or asked for."""


class FilesError(RefusedError):
    """Files cannot be used; `problems` lists all of them, so that they can be fixed at once."""

    def __init__(self, message: str, problems: tuple[str, ...], *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(
            "\n".join((message, *(f"  {problem}" for problem in problems))),
            hint=hint,
            state="Nothing was changed.",
            place=place,
        )
        self.problems = problems


class ReportedError(RunnerError):
    """An error that was already reported by an event; it only carries the exit code."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ConnectError(RunnerError):
    """The database could not be connected to."""


class StatementError(RunnerError):
    """A statement of a migration failed on the server."""


class LockLostError(RunnerError):
    """The session with the lock was lost, so that nothing more may be changed."""


class RunInterruptedError(RunnerError):
    """A signal ended the run."""


class Interruption(KeyboardInterrupt):
    """A signal that asks the process to stop, raised in the running statement."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(signal_name)
        self.signal_name = signal_name


def describe_error(error: RunnerError, url: str) -> ErrorRaised:
    """Return an error as the event that the report prints, with passwords redacted."""
    from tasks.runner.events import ErrorRaised
    from tasks.runner.redaction import redact, redact_line

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
