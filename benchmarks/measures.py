"""What is measured: fresh runs, runs with nothing to do, and status, of every tool that can do it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from psycopg import sql

from benchmarks.folders import Folders, write_folders
from benchmarks.timing import Sample, time_in_turn
from benchmarks.tools import Place, Tool, import_driver
from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.servers import Server

_MOST_TABLES = 1000
"""Beyond so many, a server with a table for each would be measured rather than the tools."""
IMPORT = 'python -c "import psycopg"'


@dataclass
class Bench:
    """A server with default durability, a folder to work in, and the tools to time."""

    server: Server
    home: Path
    tools: list[Tool]
    runs: int
    _made: Counter[str] = field(default_factory=Counter)
    _applied: dict[tuple[str, int], Place] = field(default_factory=dict)
    _folders: dict[int, Folders] = field(default_factory=dict)

    def time_fresh(self, count: int) -> dict[str, Sample]:
        """Time runs of `count` migrations, each on an empty database."""
        folders, place = self._write(count), self._place("fresh")
        commands = {
            tool.name: replace(tool.migrate(place, folders), prepare=lambda: self._make_empty("fresh")) for tool in self.tools
        }
        return time_in_turn(commands, self.runs)

    def time_idle(self, *counts: int) -> dict[int, dict[str, Sample]]:
        """Time runs of so many migrations, all of them applied, beside the import of the driver."""
        commands = {}
        for count in counts:
            commands[count, IMPORT] = import_driver(self._place("none"))
            for tool in self._remembering:
                commands[count, tool.name] = tool.migrate(*self._apply(tool, count))
        samples = time_in_turn(commands, self.runs, warm_up=True)
        return {count: {name: sample for (its, name), sample in samples.items() if its == count} for count in counts}

    def time_status(self, count: int) -> dict[str, Sample]:
        """Time the list of `count` applied migrations."""
        commands = {tool.name: tool.status(*self._apply(tool, count)) for tool in self._remembering if tool.status}
        return time_in_turn(commands, self.runs, warm_up=True)

    @property
    def _remembering(self) -> list[Tool]:
        return [tool for tool in self.tools if tool.status]

    def _apply(self, tool: Tool, count: int) -> tuple[Place, Folders]:
        """Return a database in which the tool has applied its migrations, made when it is first asked for."""
        folders = self._write(count)
        if (tool.name, count) not in self._applied:
            place = self._place(f"applied_{len(self._applied)}")
            self._make_empty(place.database)
            tool.migrate(place, folders).run()
            self._applied[tool.name, count] = place
        return self._applied[tool.name, count], folders

    def _write(self, count: int) -> Folders:
        if count not in self._folders:
            home = self.home / f"migrations_{count}"
            self._folders[count] = write_folders(home, count, tables=count <= _MOST_TABLES)
        return self._folders[count]

    def _place(self, database: str) -> Place:
        return Place(self.server.cluster.socket_folder, SUPERUSER, database, self.home)

    def _make_empty(self, database: str) -> None:
        """Make the database anew, and write out what is in memory, so that no run pays for the one before it.

        The one before it is put aside: where files were deleted a moment ago, some file systems make new ones much slower.
        """
        if self._made[database]:
            names = map(sql.Identifier, (database, f"{database}_{self._made[database]}"))
            self.server.administer(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        self._made[database] += 1
        self.server.create(database)
        self.server.administer(sql.SQL("CHECKPOINT").format())
