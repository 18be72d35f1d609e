"""Verifying all of Gaia's migrations: for the first time, and when the states between them are kept."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Command, Sample, time_in_turn
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

FIRST, KEPT, WITH_DATA = "db.verify --all", "db.verify --all, again", "db.verify --all --with-data"


@dataclass
class VerifyBench:
    """A scratch server, a folder to work in, and how often each command runs."""

    server: Server
    home: Path
    runs: int

    def time(self) -> dict[str, Sample]:
        """Time `inv` as a process; the first of each round begins with nothing kept."""
        commands = {FIRST: self._verify(forget=True), KEPT: self._verify(), WITH_DATA: self._verify("--with-data")}
        return time_in_turn(commands, self.runs)

    def _verify(self, *flags: str, forget: bool = False) -> Command:
        arguments = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), "db.verify", "--all", *flags]
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "SCRATCH_DATABASE_URL": self.server.url(),
        }
        return Command(arguments, variables, self._forget) if forget else Command(arguments, variables)

    def _forget(self) -> None:
        with ScratchServer(self.server.url()) as server:
            server.forget_states()
