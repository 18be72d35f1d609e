"""Fresh runs, runs with nothing to do, and status, of each tool that supports them, over each route to the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from psycopg import sql

from benchmarks.kit.folders import Folders, write_folders
from benchmarks.kit.relays import DelayedRelay
from benchmarks.kit.timing import Command, Sample, build_sample, time_interleaved
from benchmarks.kit.tools import OURS, PSQL, ServerRoute, Tool, Workspace, import_driver
from tests.kit.servers import Server

_MOST_TABLES = 1000
"""With more tables, the server would dominate the times, so larger histories create none."""
_MOST_OF_OTHERS = 1000
IMPORT = 'python -c "import psycopg"'


@dataclass
class RunBenchmark:
    """A server with default durability, a working folder, and the tools to time."""

    server: Server
    home: Path
    tools: list[Tool]
    runs: int
    _created: Counter[str] = field(default_factory=Counter)
    _applied: dict[tuple[str, int], str] = field(default_factory=dict)
    _folders: dict[int, Folders] = field(default_factory=dict)

    def time_fresh(self, count: int, route: ServerRoute) -> dict[str, Sample]:
        """Time runs of `count` migrations, each on an empty database; the tools of others run once, because some are slow."""
        once = {tool.name for tool in self.tools} - {OURS, PSQL}
        return time_interleaved(self._list_fresh(count, route), self.runs, once=once)

    def time_fresh_slowly(self, count: int, route: ServerRoute, relay: DelayedRelay) -> dict[str, Sample]:
        """Do the same on a route through a relay, and count the round trips."""
        commands = self._list_fresh(count, route)
        return {name: _time_with_turns(command, self.runs, relay) for name, command in commands.items()}

    def time_idle(self, *counts: int) -> dict[int, dict[str, Sample]]:
        """Time runs with `counts` migrations that are all applied, and the import of the driver.

        The tools of others are compared up to a thousand: some need many minutes to apply more.
        """
        commands = {}
        for count in counts:
            commands[count, IMPORT] = import_driver(self._workspace("none", self._socket))
            for tool in self._list_with_ledger(count):
                commands[count, tool.name] = tool.migrate(*self._apply(tool, count, self._socket))
        samples = time_interleaved(commands, self.runs, warm_up=True)
        return {count: {name: sample for (own_count, name), sample in samples.items() if own_count == count} for count in counts}

    def time_status(self, count: int) -> dict[str, Sample]:
        """Time the status command with `count` applied migrations, and the import of the driver."""
        commands = {IMPORT: import_driver(self._workspace("none", self._socket))}
        for tool in self._list_with_ledger(count):
            if tool.status:
                commands[tool.name] = tool.status(*self._apply(tool, count, self._socket))
        return time_interleaved(commands, self.runs, warm_up=True)

    def time_turns(self, count: int, route: ServerRoute, relay: DelayedRelay) -> dict[str, Sample]:
        """Time our tool, and count its round trips, with nothing to do, on a route through a relay."""
        ours = next(tool for tool in self.tools if tool.name == OURS)
        assert ours.status
        workspace = self._apply(ours, count, route)
        commands: Mapping[str, Command] = {"migrate": ours.migrate(*workspace), "status": ours.status(*workspace)}
        return {verb: _time_with_turns(command, self.runs, relay) for verb, command in commands.items()}

    @property
    def _socket(self) -> ServerRoute:
        return ServerRoute(str(self.server.cluster.socket_folder))

    def _list_with_ledger(self, count: int) -> list[Tool]:
        return [tool for tool in self.tools if tool.status and (count <= _MOST_OF_OTHERS or tool.name == OURS)]

    def _list_fresh(self, count: int, route: ServerRoute) -> dict[str, Command]:
        folders, workspace = self._write(count), self._workspace("fresh", route)
        return {
            tool.name: replace(tool.migrate(workspace, folders), prepare=lambda: self._create_empty("fresh"))
            for tool in self.tools
        }

    def _apply(self, tool: Tool, count: int, route: ServerRoute) -> tuple[Workspace, Folders]:
        """Return a database in which the tool has applied its migrations; the first call creates it."""
        folders = self._write(count)
        if (tool.name, count) not in self._applied:
            database = f"applied_{len(self._applied)}"
            self._create_empty(database)
            tool.migrate(self._workspace(database, self._socket), folders).run()
            self._applied[tool.name, count] = database
        return self._workspace(self._applied[tool.name, count], route), folders

    def _write(self, count: int) -> Folders:
        if count not in self._folders:
            home = self.home / f"migrations_{count}"
            self._folders[count] = write_folders(home, count, tables=count <= _MOST_TABLES)
        return self._folders[count]

    def _workspace(self, database: str, route: ServerRoute) -> Workspace:
        return Workspace(route, database, self.home)

    def _create_empty(self, database: str) -> None:
        """Create an empty database and force a checkpoint, so that no run is slowed down by the previous one.

        The previous database is renamed, not dropped: some file systems create files much more slowly after many deletions.
        """
        if self._created[database]:
            names = map(sql.Identifier, (database, f"{database}_{self._created[database]}"))
            self.server.administer(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        self._created[database] += 1
        self.server.create(database)
        self.server.administer(sql.SQL("CHECKPOINT").format())


def _time_with_turns(command: Command, runs: int, relay: DelayedRelay) -> Sample:
    """Time a command and count its round trips, which are those of its last run. The delay dominates: nothing is interleaved."""
    measurements = []
    for _ in range(runs):
        relay.reset()
        measurements.append(command.run())
    return replace(build_sample(measurements), turns=relay.traffic.turns)
