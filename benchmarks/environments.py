"""Environments on Fly: the overhead of a remote run, and the status of several environments at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.kit.timing import Command, Sample, time_interleaved
from tests.kit.databases import Database
from tests.kit.fly.fixtures import SERVER
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

ON_MACHINE, REMOTE, ALL_AT_ONCE = "scripts/migrate.py on the machine", "inv --env=staging", "all four at once"
_APPS = ("dev", "staging", "prod")
_NAMES = ("local", *_APPS)


@dataclass(frozen=True)
class FlyBenchmark:
    """Three apps on a simulated Fly with a real SSH server, a database for each, and one for local."""

    server: Server
    fly: FlyWorld
    home: Path
    runs: int

    def time_overhead(self) -> dict[str, dict[str, Sample]]:
        """Time runs started on the machine, and the same runs started remotely, including the connection."""
        self._create_empty("staging")
        self._inv("db.migrate", "staging").run()
        commands = self._migrate()
        fresh = {name: replace(command, prepare=lambda: self._create_empty("staging")) for name, command in commands.items()}
        return {
            "nothing to do": time_interleaved(commands, self.runs, warm_up=True),
            "Gaia's migrations, fresh": time_interleaved(fresh, self.runs),
        }

    def time_statuses(self) -> dict[str, Sample]:
        """Time the status of each environment, and of all at once."""
        for name in _NAMES:
            self._create_empty(name)
            self._inv("db.migrate", name, "--yes").run()
        commands = {name: self._inv("db.status", name) for name in _NAMES}
        return time_interleaved(commands | {ALL_AT_ONCE: self._inv("db.status", "all")}, self.runs, warm_up=True)

    def _migrate(self) -> dict[str, Command]:
        machine = self.fly.machine("gaia-gateway-staging")
        url = _find_database(self.server, "staging").url
        on_machine = self._command([str(machine.app / "scripts" / "migrate.py"), "migrate", "--json"], DATABASE_URL=url)
        return {REMOTE: self._inv("db.migrate", "staging"), ON_MACHINE: on_machine}

    def _inv(self, task: str, name: str, *flags: str) -> Command:
        arguments = ["-m", "invoke", "--search-root", str(REPOSITORY), task, f"--env={name}", *flags]
        variables = {"FLY_SSH_USER": self.fly.login, "DATABASE_URL": _find_database(self.server, "local").url}
        return self._command(arguments, **self.fly.env, **variables)

    def _command(self, arguments: list[str], **variables: str) -> Command:
        common = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        folders = {"MIGRATIONS_DIR": str(REPOSITORY / "migrations"), "SEEDS_DIR": str(REPOSITORY / "seeds")}
        return Command([sys.executable, *arguments], {**common, **folders, **variables})

    def _create_empty(self, name: str) -> None:
        database = _find_database(self.server, name).name
        self.server.drop(database)
        self.server.create(database)


@contextmanager
def open_fly_benchmark(server: Server, home: Path, runs: int) -> Iterator[FlyBenchmark]:
    """Start the apps, each with a machine that has this checkout, and stop them afterwards."""
    with ExitStack() as stack:
        fly = stack.enter_context(make_world(home / "fly", SERVER))
        for name in _APPS:
            fly.add_app(f"gaia-gateway-{name}", _find_database(server, name))
        yield FlyBenchmark(server, fly, home, runs)


def _find_database(server: Server, name: str) -> Database:
    return Database(server, f"fly_{name}")
