"""Verifying all of Gaia's migrations, or a long generated history: the first time, again, and with rows."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.histories import write_history
from benchmarks.kit.timing import Command, Sample, time_interleaved
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

FIRST, AGAIN, WITH_DATA = "db.verify --all", "db.verify --all, again", "db.verify --all --with-data"
LONG = 280
"""The number of migrations of the generated history."""


@dataclass
class VerifyBenchmark:
    """A scratch server, a working folder, and the number of runs of each command."""

    server: Server
    home: Path
    runs: int

    def time(self) -> dict[str, Sample]:
        """Time `inv db.verify`; the first run of each round begins without cached states and without kept results."""
        with_data = self._verify("--with-data", "--no-cache")
        commands = {FIRST: self._verify(forget=True), AGAIN: self._verify(), WITH_DATA: with_data}
        return time_interleaved(commands, self.runs)

    def time_history(self) -> dict[str, Sample]:
        """Time the same with a long history, without rows, in one round: it takes a minute."""
        folder = write_history(self.home / "history", LONG)
        commands = {FIRST: self._verify(folder=folder, forget=True), AGAIN: self._verify(folder=folder)}
        return time_interleaved(commands, 1)

    def _verify(self, *flags: str, folder: Path | None = None, forget: bool = False) -> Command:
        arguments = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), "db.verify", "--all", *flags]
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self._cache),
            "LC_ALL": "C.UTF-8",
            "SCRATCH_DATABASE_URL": self.server.url(),
            **({"MIGRATIONS_DIR": str(folder)} if folder else {}),
        }
        return Command(arguments, variables, self._forget) if forget else Command(arguments, variables)

    @property
    def _cache(self) -> Path:
        return self.home / "cache"

    def _forget(self) -> None:
        shutil.rmtree(self._cache, ignore_errors=True)
        with ScratchServer(self.server.url()) as server:
            server.drop_states()
