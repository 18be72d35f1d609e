"""An operator of databases that are reached through Fly: runs `inv` as a process, or the same functions in this process."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeVar

import pytest

from tasks.config.environments import Environment, load_environment
from tasks.fly.operation import run_remotely
from tasks.options import Options
from tasks.runner.errors import RunnerError
from tasks.runner.events import ErrorRaised, Event
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import Operator

STAGING = "gaia-gateway-staging"
ENGINEER = "ada"
MIGRATE = Request("migrate")

T = TypeVar("T", bound=Event)
Callbacks = Mapping[type[Event], Callable[[], object]]


@dataclass(frozen=True)
class OperationResult:
    """The events of an operation, and the error that it ended with."""

    events: list[Event]
    error: RunnerError | None

    def pick(self, kind: type[T]) -> list[T]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def describe(self) -> str:
        """Return all text of the error."""
        assert self.error is not None, self.events
        errors = [f"{event.message} {event.hint} {event.state}" for event in self.pick(ErrorRaised)]
        return " ".join((*errors, self.error.message, self.error.hint, self.error.state))


@dataclass(frozen=True)
class RemoteOperator:
    """An operator of a database that is reached through Fly, with the environment variables of the commands."""

    fly: FlyWorld
    operator: Operator
    keys: Path
    """The folder for ssh keys, which must be empty after an operation."""
    variables: dict[str, str]
    stop: Stop = field(default_factory=Stop)

    @property
    def env(self) -> dict[str, str]:
        """Return the environment variables of a process, in addition to those of every process."""
        return self.fly.env | self.variables

    @property
    def machine(self) -> FlyMachine:
        """Return the machine of staging."""
        return self.fly.machine(STAGING)

    def deploy(self, app: str = STAGING, **properties: Any) -> FlyMachine:
        """Create an app with one machine that has the current files and the operator's database."""
        (machine,) = self.fly.add_app(app, self.operator.database, files=self.operator.project.root, **properties)
        return machine

    def inv(self, *arguments: str, check: int | None = 0, **env: str) -> CompletedProcess[str]:
        """Run `inv` as a process."""
        return self.operator.project.inv(*arguments, env=self.env | env, check=check)

    def load(self, name: str = "staging") -> Environment:
        """Load an environment with the operator's variables."""
        folders = {"MIGRATIONS_DIR": str(self.operator.project.migrations), "SEEDS_DIR": str(self.operator.project.seeds)}
        return load_environment(name, project=self.operator.project.root, environ=folders | self.env)

    def run_request(
        self, request: Request = MIGRATE, callbacks: Callbacks | None = None, *, name: str = "staging", **options: Any
    ) -> OperationResult:
        """Run a request in this process, and call the callback of a kind of event after the first event of that kind."""
        pending = dict(callbacks or {})
        events: list[Event] = []
        with pytest.MonkeyPatch.context() as patch:
            self.set_variables(patch)
            try:
                for event in run_remotely(self.load(name), request, Options(**options), self.stop):
                    events.append(event)
                    pending.pop(type(event), lambda: None)()
            except RunnerError as error:
                return OperationResult(events, error)
        assert not pending, f"none of {pending} in {events}"
        return OperationResult(events, None)

    def assert_clean(self) -> None:
        """Raise AssertionError if a local proxy or key, or a file or process on a machine, was left behind."""
        assert self.fly.proxies() == []
        assert list(self.keys.iterdir()) == []
        for machine in self.list_machines():
            wait_until(partial(_is_clean, machine), what="runs to end on the machine, and their files to be removed")

    def list_machines(self) -> Iterator[FlyMachine]:
        """Yield all machines on which something can run."""
        for app in self.fly.state.read_apps():
            yield from self.fly.machines(app["name"])

    def set_variables(self, patch: pytest.MonkeyPatch) -> None:
        """Set the operator's variables in this process, and unset all other variables of Fly."""
        for name in [name for name in os.environ if name.startswith("FLY_")]:
            patch.delenv(name)
        for name, value in self.env.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", str(self.keys))


def _is_clean(machine: FlyMachine) -> bool:
    return not machine.processes("migrate.py") and not list(machine.folder.temporary.iterdir())


@contextmanager
def operate_remotely(fly: FlyWorld, project: Project, database: Database, **variables: str) -> Iterator[RemoteOperator]:
    """Yield an operator of a database that is reached only through Fly, and assert afterwards that everything was cleaned up."""
    keys = project.root / "tmp"
    keys.mkdir()
    # A database URL would take precedence over the app.
    defaults = {"DATABASE_URL": "", "MIGRATE_ACTOR": ENGINEER, "FLY_SSH_USER": fly.login, "TMPDIR": str(keys), **variables}
    remote = RemoteOperator(fly, Operator(project, database), keys, defaults)
    yield remote
    remote.assert_clean()
