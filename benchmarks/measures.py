"""Fresh runs, runs with nothing to do, and status, of each tool that supports them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from psycopg import sql

from benchmarks.folders import Folders, write_folders
from benchmarks.timing import Sample, time_interleaved
from benchmarks.tools import Tool, Workspace, import_driver
from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.servers import Server

_MOST_TABLES = 1000
"""With more tables, the server would dominate the times, so larger histories create none."""
IMPORT = 'python -c "import psycopg"'


@dataclass
class RunBenchmark:
    """A server with default durability, a working folder, and the tools to time."""

    server: Server
    home: Path
    tools: list[Tool]
    runs: int
    _created: Counter[str] = field(default_factory=Counter)
    _applied: dict[tuple[str, int], Workspace] = field(default_factory=dict)
    _folders: dict[int, Folders] = field(default_factory=dict)

    def time_fresh(self, count: int) -> dict[str, Sample]:
        """Time runs of `count` migrations, each on an empty database."""
        folders, workspace = self._write(count), self._workspace("fresh")
        commands = {
            tool.name: replace(tool.migrate(workspace, folders), prepare=lambda: self._create_empty("fresh"))
            for tool in self.tools
        }
        return time_interleaved(commands, self.runs)

    def time_idle(self, *counts: int) -> dict[int, dict[str, Sample]]:
        """Time runs with `counts` migrations that are all applied, and the import of the driver."""
        commands = {}
        for count in counts:
            commands[count, IMPORT] = import_driver(self._workspace("none"))
            for tool in self._tools_with_ledger:
                commands[count, tool.name] = tool.migrate(*self._apply(tool, count))
        samples = time_interleaved(commands, self.runs, warm_up=True)
        return {count: {name: sample for (own_count, name), sample in samples.items() if own_count == count} for count in counts}

    def time_status(self, count: int) -> dict[str, Sample]:
        """Time the status command with `count` applied migrations."""
        commands = {tool.name: tool.status(*self._apply(tool, count)) for tool in self._tools_with_ledger if tool.status}
        return time_interleaved(commands, self.runs, warm_up=True)

    @property
    def _tools_with_ledger(self) -> list[Tool]:
        return [tool for tool in self.tools if tool.status]

    def _apply(self, tool: Tool, count: int) -> tuple[Workspace, Folders]:
        """Return a database in which the tool has applied its migrations; the first call creates it."""
        folders = self._write(count)
        if (tool.name, count) not in self._applied:
            workspace = self._workspace(f"applied_{len(self._applied)}")
            self._create_empty(workspace.database)
            tool.migrate(workspace, folders).run()
            self._applied[tool.name, count] = workspace
        return self._applied[tool.name, count], folders

    def _write(self, count: int) -> Folders:
        if count not in self._folders:
            home = self.home / f"migrations_{count}"
            self._folders[count] = write_folders(home, count, tables=count <= _MOST_TABLES)
        return self._folders[count]

    def _workspace(self, database: str) -> Workspace:
        return Workspace(self.server.cluster.socket_folder, SUPERUSER, database, self.home)

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
