"""How long an application is stalled by an ALTER TABLE that waits behind a long transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.kit.folders import write_migrations
from benchmarks.kit.tools import ServerRoute, Tool, Workspace
from tests.kit.servers import Server

HELD_S = 30.0
"""How long the long transaction stays open."""
LOCK_TIMEOUT_S = 5.0
"""The default of LOCK_TIMEOUT: our aim for the total stall."""
_AGES_S = (1.0, 10.0)
"""How long the transaction has been open when the tool starts: shorter and longer than LOCK_TIMEOUT."""
_EVERY_S = 0.01
_STALLED_S = 1.0
"""A statement of the load that takes longer than this counts as stalled: without a lock it takes less, even on a busy machine."""
_SESSIONS = 4
_READ = "SELECT balance FROM accounts WHERE id = 1 + random() * 999"
_WRITE = "UPDATE accounts SET balance = balance + 1 WHERE id = 1 + floor(random() * 999)"
_TABLE = (
    "CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts SELECT n, 0 FROM generate_series(1, 1000) n"
)
_ALTER = ("ALTER TABLE accounts ADD COLUMN note text;\n", "ALTER TABLE accounts DROP COLUMN note;\n")


@dataclass(frozen=True)
class Stall:
    """What the load saw during one run of a tool: the longest and the total stall, and the duration of the run, in seconds."""

    longest_s: float
    total_s: float
    run_s: float


@dataclass
class _Load:
    """Sessions that read and write a row every 10 ms, as pgbench with a rate does, and the stalls of each."""

    url: str
    stalls: list[tuple[float, float]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the load until the block ends."""
        threads = [threading.Thread(target=self._work, args=(text,)) for text in (_READ, _WRITE) for _ in range(_SESSIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def measure(self) -> tuple[float, float]:
        """Return the longest stall, and the time during which some session was stalled."""
        total, until = 0.0, 0.0
        for start, end in sorted(self.stalls):
            total += max(end - max(start, until), 0.0)
            until = max(until, end)
        return max((end - start for start, end in self.stalls), default=0.0), total

    def _work(self, text: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self._ended.wait(_EVERY_S):
                start = time.monotonic()
                connection.execute(text)
                end = time.monotonic()
                if end - start > _STALLED_S:
                    self.stalls.append((start, end))


class StallBenchmark:
    """A server, a working folder, and the tools to compare."""

    def __init__(self, server: Server, home: Path, tools: list[Tool]) -> None:
        self._server = server
        self._folders = write_migrations(home / "stall", [_ALTER])
        self._home = home
        self._tools = tools

    def measure(self) -> dict[str, Stall]:
        """Return the stalls of each tool, with a transaction that is younger and one that is older than LOCK_TIMEOUT."""
        return {f"{tool.name}, open for {age:.0f} s": self._measure(tool, age) for age in _AGES_S for tool in self._tools}

    def _measure(self, tool: Tool, age_s: float) -> Stall:
        self._server.administer(sql.SQL("DROP DATABASE IF EXISTS stall WITH (FORCE)").format())
        self._server.administer(sql.SQL("CREATE DATABASE stall").format())
        workspace = Workspace(ServerRoute(str(self._server.cluster.socket_folder)), "stall", self._home)
        with psycopg.connect(workspace.url, autocommit=True) as connection:
            connection.execute(_TABLE)
        load = _Load(workspace.url)
        with load.running(), self._hold(workspace.url, age_s):
            run_s = tool.migrate(workspace, self._folders).run().seconds
        return Stall(*load.measure(), run_s)

    @contextmanager
    def _hold(self, url: str, age_s: float) -> Iterator[None]:
        """Keep a transaction open that has read the table, and let the tool start when it has this age."""
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM accounts LIMIT 1")
            time.sleep(age_s)
            timer = threading.Timer(HELD_S - age_s, connection.rollback)
            timer.start()
            yield
            timer.join()
