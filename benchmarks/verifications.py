"""Verifying all of Gaia's migrations: the first time, and when the states between them are cached."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Command, Sample, time_interleaved
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

FIRST, CACHED, WITH_DATA = "db.verify --all", "db.verify --all, again", "db.verify --all --with-data"


@dataclass
class VerifyBenchmark:
    """A scratch server, a working folder, and the number of runs of each command."""

    server: Server
    home: Path
    runs: int

    def time(self) -> dict[str, Sample]:
        """Time `inv db.verify`; the first run of each round begins without cached states."""
        commands = {FIRST: self._verify(forget=True), CACHED: self._verify(), WITH_DATA: self._verify("--with-data")}
        return time_interleaved(commands, self.runs)

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
            server.drop_states()
