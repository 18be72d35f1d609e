"""Environments on Fly: what the way there adds to a run, and several at once beside each alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.timing import Command, Sample, time_in_turn
from tests.kit.databases import Database
from tests.kit.fly.boot import PYTHON, SSHD, find_sshd
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

BY_HAND, FROM_HERE, AT_ONCE = "scripts/migrate.py, there", "inv --env=staging, here", "all four at once"
_APPS = ("dev", "staging", "prod")
_NAMES = ("local", *_APPS)


@dataclass(frozen=True)
class FarBench:
    """Three apps on a stand-in for Fly with a real SSH server, and a database for each and for here."""

    server: Server
    fly: FlyWorld
    home: Path
    runs: int

    def time_overhead(self) -> dict[str, dict[str, Sample]]:
        """Time runs on the machine beside the same ones from here, the connection included."""
        self._make_empty("staging")
        self._far("db.migrate", "staging").run()
        fresh = {name: replace(command, prepare=lambda: self._make_empty("staging")) for name, command in self._migrate().items()}
        return {
            "nothing to do": time_in_turn(self._migrate(), self.runs, warm_up=True),
            "Gaia's migrations, fresh": time_in_turn(fresh, self.runs),
        }

    def time_statuses(self) -> dict[str, Sample]:
        """Time the status of each environment alone, and of all at once."""
        for name in _NAMES:
            self._make_empty(name)
            self._far("db.migrate", name, "--yes").run()
        commands = {name: self._far("db.status", name) for name in _NAMES}
        return time_in_turn(commands | {AT_ONCE: self._far("db.status", "all")}, self.runs, warm_up=True)

    def _migrate(self) -> dict[str, Command]:
        machine = self.fly.machine("gaia-gateway-staging")
        url = _find_database(self.server, "staging").url
        by_hand = self._command([str(machine.app / "scripts" / "migrate.py"), "migrate", "--json"], DATABASE_URL=url)
        return {FROM_HERE: self._far("db.migrate", "staging"), BY_HAND: by_hand}

    def _far(self, task: str, name: str, *flags: str) -> Command:
        arguments = ["-m", "invoke", "--search-root", str(REPOSITORY), task, f"--env={name}", *flags]
        variables = {"FLY_SSH_USER": self.fly.login, "DATABASE_URL": _find_database(self.server, "local").url}
        return self._command(arguments, **self.fly.env, **variables)

    def _command(self, arguments: list[str], **variables: str) -> Command:
        common = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        folders = {"MIGRATIONS_DIR": str(REPOSITORY / "migrations"), "SEEDS_DIR": str(REPOSITORY / "seeds")}
        return Command([sys.executable, *arguments], {**common, **folders, **variables})

    def _make_empty(self, name: str) -> None:
        database = _find_database(self.server, name).name
        self.server.drop(database)
        self.server.create(database)


@contextmanager
def open_far_bench(server: Server, home: Path, runs: int) -> Iterator[FarBench]:
    """Make the apps, each with a machine that has this checkout; end them afterwards."""
    kind = SSHD if find_sshd() and os.geteuid() == 0 else PYTHON
    with ExitStack() as stack:
        fly = stack.enter_context(make_world(home / "fly", kind))
        for name in _APPS:
            # A machine of Fly has nothing imported.
            fly.add_app(f"gaia-gateway-{name}", _find_database(server, name), image=Image(forked=False))
        yield FarBench(server, fly, home, runs)


def _find_database(server: Server, name: str) -> Database:
    return Database(server, f"far_{name}")
