"""A run of `scripts/migrate.py` as a process, followed by its events."""

import signal
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.runner.events import ErrorRaised, Event, from_json
from tests.kit.forkserver import Running
from tests.kit.projects import Project

T = TypeVar("T", bound=Event)


@dataclass
class RunningScript:
    """A running process, and the events that were read from it so far."""

    process: Running
    events: list[Event] = field(default_factory=list)
    exit_code: int | None = None
    errors: str = ""

    def await_event(self, kind: type[T], **fields: object) -> T:
        """Read until an event of this kind with these values comes; fail if the process ends without it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(from_json(line))
            event = self.events[-1]
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items()):
                return event
        self.finish()
        raise AssertionError(f"no {kind.__name__} {fields} in {self.events}\n{self.errors}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self) -> "RunningScript":
        """Read to the end and wait for it."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if self.exit_code is None:
            self.events += [from_json(line) for line in self.process.stdout]
            self.errors = self.process.stderr.read()
            self.exit_code = self.process.wait()
        return self

    def succeed(self) -> "RunningScript":
        """Wait for the end, and fail unless the exit code is 0."""
        self.finish()
        assert self.exit_code == 0, self.errors
        return self

    def fail(self) -> ErrorRaised:
        """Wait for the end, and return the error that it ended with; fail unless the exit code is 1."""
        self.finish()
        assert self.exit_code == 1, (self.exit_code, self.errors)
        return self.pick(ErrorRaised)[-1]

    def pick(self, kind: type[T]) -> list[T]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


def start(project: Project, *arguments: str, **settings: str) -> RunningScript:
    """Start a run; keyword arguments are settings, as LOCK_TIMEOUT."""
    return RunningScript(project.start(*(arguments or ("migrate",)), "--json", env=settings))
