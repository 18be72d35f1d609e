"""Bringing a scratch database to the end of a long history: for the first time, and when all but one migration is kept."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.folders import write_folders
from benchmarks.timing import Command, Sample, time_in_turn
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.servers import Server

FIRST, PLUS_ONE, KEPT = "first replay", "kept, and one more", "kept"
MIGRATIONS = 1000
"""With two statements each: a table and its index."""

_ROOT = Path(__file__).parent.parent.parent
_PROGRAM = """
import sys, uuid
from pathlib import Path
from tasks.rehearsal.replay.replay import Piece, state_after
from tasks.rehearsal.scratch.server import ScratchServer
url, folder, more = sys.argv[1:]
pieces = [Piece(path.stem, path.read_text()) for path in sorted(Path(folder).glob("*.sql"))]
pieces += [Piece(f"new_{n}", f"CREATE TABLE more_{n} (); -- {uuid.uuid4()}") for n in range(int(more))]
with ScratchServer(url) as server, state_after(server, pieces):
    pass
"""


@dataclass
class ReplayBench:
    """A server, a folder to work in, and how often each command runs."""

    server: Server
    home: Path
    runs: int

    def time(self, count: int = MIGRATIONS) -> dict[str, Sample]:
        """Time whole processes that make the state after so many migrations; each round begins with nothing kept."""
        ups = write_folders(self.home / f"replays_{count}", count, tables=True).own / "up"
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}

        def build(more: int) -> Command:
            return Command([sys.executable, "-c", _PROGRAM, self.server.url(), str(ups), str(more)], environment, self._sync)

        first = Command(build(0).arguments, environment, self._forget)
        return time_in_turn({FIRST: first, PLUS_ONE: build(1), KEPT: build(0)}, self.runs)

    def _forget(self) -> None:
        with ScratchServer(self.server.url()) as server:
            server.forget_states()
        self._sync()

    def _sync(self) -> None:
        """Write out what is in memory, so that no run pays for the one before it."""
        with ScratchServer(self.server.url()) as server:
            server.administer().execute("CHECKPOINT")
