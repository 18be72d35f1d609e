"""Replaying a long history on a scratch database: the first time, and when a cached state covers all migrations but one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kit.folders import write_folders
from benchmarks.kit.timing import Command, Sample, time_interleaved
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

FIRST, PLUS_ONE, CACHED = "first replay", "cached, and one more", "cached"
MIGRATIONS = 1000
"""Each creates a table and its index."""

_PROGRAM = """
import sys, uuid
from pathlib import Path
from tasks.rehearsal.replay.replay import RehearsedMigration, state_after
from tasks.rehearsal.scratch.server import ScratchServer
url, folder, more = sys.argv[1:]
migrations = [RehearsedMigration(path.stem, path.read_text()) for path in sorted(Path(folder).glob("*.sql"))]
migrations += [RehearsedMigration(f"new_{n}", f"CREATE TABLE more_{n} (); -- {uuid.uuid4()}") for n in range(int(more))]
with ScratchServer(url) as server, state_after(server, migrations):
    pass
"""


@dataclass
class ReplayBenchmark:
    """A server, a working folder, and the number of runs of each command."""

    server: Server
    home: Path
    runs: int

    def time(self, count: int = MIGRATIONS) -> dict[str, Sample]:
        """Time processes that build the state after `count` migrations; each round begins without cached states."""
        ups = write_folders(self.home / f"replays_{count}", count, tables=True).own / "up"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

        def build(more: int) -> Command:
            return Command([sys.executable, "-c", _PROGRAM, self.server.url(), str(ups), str(more)], environment, self._sync)

        first = Command(build(0).arguments, environment, self._forget)
        return time_interleaved({FIRST: first, PLUS_ONE: build(1), CACHED: build(0)}, self.runs)

    def _forget(self) -> None:
        with ScratchServer(self.server.url()) as server:
            server.drop_states()
        self._sync()

    def _sync(self) -> None:
        """Force a checkpoint, so that no run is slowed down by writes of the previous one."""
        with ScratchServer(self.server.url()) as server:
            server.administer().execute("CHECKPOINT")
