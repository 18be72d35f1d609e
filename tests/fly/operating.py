"""Somebody who works on databases that are reached through Fly: by `inv` as a process, or by the same functions in this one."""

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
from tests.kit.fly.machines import Machine
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import Operator

STAGING = "gaia-gateway-staging"
ENGINEER = "ada"
MIGRATE = Request("migrate")

T = TypeVar("T", bound=Event)
Deeds = Mapping[type[Event], Callable[[], object]]


@dataclass(frozen=True)
class Ended:
    """What an operation said, and the error that it ended with."""

    events: list[Event]
    error: RunnerError | None

    def pick(self, kind: type[T]) -> list[T]:
        """Give the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def describe(self) -> str:
        """Give all that the error says."""
        assert self.error is not None, self.events
        told = [f"{event.message} {event.hint} {event.state}" for event in self.pick(ErrorRaised)]
        return " ".join((*told, self.error.message, self.error.hint, self.error.state))


@dataclass(frozen=True)
class Far:
    """An operator whose database is far away, with the environment variables of the commands."""

    fly: FlyWorld
    operator: Operator
    keys: Path
    """Where keys are made and must not stay."""
    variables: dict[str, str]
    stop: Stop = field(default_factory=Stop)

    @property
    def env(self) -> dict[str, str]:
        """Give what a process gets besides what every process has."""
        return self.fly.env | self.variables

    @property
    def machine(self) -> Machine:
        """Give the machine of staging."""
        return self.fly.machine(STAGING)

    def deploy(self, app: str = STAGING, **properties: Any) -> Machine:
        """Make an app with one machine that has the files as they are now, and our database."""
        (machine,) = self.fly.add_app(app, self.operator.database, files=self.operator.project.root, **properties)
        return machine

    def inv(self, *arguments: str, check: int | None = 0, **env: str) -> CompletedProcess[str]:
        """Run `inv` as a process."""
        return self.operator.project.inv(*arguments, env=self.env | env, check=check)

    def load(self, name: str = "staging") -> Environment:
        """Read an environment from our variables."""
        folders = {"MIGRATIONS_DIR": str(self.operator.project.migrations), "SEEDS_DIR": str(self.operator.project.seeds)}
        return load_environment(name, project=self.operator.project.root, environ=folders | self.env)

    def run_request(
        self, request: Request = MIGRATE, deeds: Deeds | None = None, *, name: str = "staging", **options: bool
    ) -> Ended:
        """Do a request in this process; after the first event of a kind, its deed is done."""
        left = dict(deeds or {})
        events: list[Event] = []
        with pytest.MonkeyPatch.context() as patch:
            self._settle(patch)
            try:
                for event in run_remotely(self.load(name), request, Options(**options), self.stop):
                    events.append(event)
                    left.pop(type(event), lambda: None)()
            except RunnerError as error:
                return Ended(events, error)
        assert not left, f"none of {left} in {events}"
        return Ended(events, None)

    def assert_clean(self) -> None:
        """Fail if something was left: a proxy here, keys here, files or processes there."""
        assert self.fly.proxies() == []
        assert list(self.keys.iterdir()) == []
        for machine in self.list_machines():
            wait_until(partial(_is_clean, machine), what="runs to end on the machine, and their files to be removed")

    def list_machines(self) -> Iterator[Machine]:
        """Give all machines that something can run on."""
        for app in self.fly.state.read_apps():
            yield from self.fly.machines(app["name"])

    def _settle(self, patch: pytest.MonkeyPatch) -> None:
        """Give this process the variables that a process of its own would have, and no others of Fly's."""
        for name in [name for name in os.environ if name.startswith("FLY_")]:
            patch.delenv(name)
        for name, value in self.env.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", str(self.keys))


def _is_clean(machine: Machine) -> bool:
    return not machine.processes("migrate.py") and not list(machine.folder.temporary.iterdir())


@contextmanager
def work_far(fly: FlyWorld, project: Project, database: Database, **variables: str) -> Iterator[Far]:
    """Give an operator of a database that only Fly leads to, and look afterwards whether everything was cleaned up."""
    keys = project.root / "tmp"
    keys.mkdir()
    # A URL of its own would be nearer than the app.
    known = {"DATABASE_URL": "", "MIGRATE_ACTOR": ENGINEER, "FLY_SSH_USER": fly.login, "TMPDIR": str(keys), **variables}
    far = Far(fly, Operator(project, database), keys, known)
    yield far
    far.assert_clean()
