"""Large files: the time and the peak memory of this tool, beside psql and the tools that can run such a file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg import sql

from benchmarks.kit.folders import Folders, find_version, make_folders
from benchmarks.kit.timing import Command, Measurement, Sample, build_sample
from benchmarks.kit.tools import ALEMBIC, DBMATE, OURS, PSQL, ServerRoute, Tool, Workspace, call_ours
from tests.kit.servers import Server

DRY_RUN, AGAIN, STATUS = f"{OURS} --dry-run", f"{OURS}, nothing to do", f"{OURS} status"
_LIMIT_S = 300.0
_TABLE = "CREATE TABLE loaded (id bigint, name text, note text);\n"
_NOTE = "a note of a row that was loaded from a file"
_DOWN = "DROP TABLE loaded;\n"
_ROWS_A_STATEMENT = 1000


@dataclass(frozen=True)
class LargeFile:
    """A migration of one large file."""

    name: str
    size: int
    """Bytes, nearly."""
    write: Callable[[int], Iterator[str]]
    """The text of a file of this size, in pieces."""
    tools: tuple[str, ...]
    """The tools of others that can run it."""


def list_files(scale: float) -> list[LargeFile]:
    """Return the files, with this part of their full sizes.

    COPY … FROM stdin is a command of psql, and yoyo-migrations splits a text with a parser that is not made for such sizes.
    """
    return [
        LargeFile("COPY of 118 MB", int(118e6 * scale), _write_copy, ()),
        LargeFile("INSERT of 127 MB, a row each", int(127e6 * scale), _write_single_rows, (DBMATE, ALEMBIC)),
        LargeFile("INSERT of 127 MB, 1,000 rows each", int(127e6 * scale), _write_many_rows, (DBMATE, ALEMBIC)),
        LargeFile("a literal of 40 MB", int(40e6 * scale), _write_literal, (DBMATE, ALEMBIC)),
    ]


@dataclass
class LargeBenchmark:
    """A server with default durability, a working folder, the tools, and the number of runs of each."""

    server: Server
    home: Path
    tools: list[Tool]
    runs: int

    def time(self, file: LargeFile) -> dict[str, Sample | str]:
        """Time each tool with a file on an empty database, and ours without one to run; of one that fails, return the reason."""
        folders = self._write(file)
        try:
            workspace = Workspace(ServerRoute(str(self.server.cluster.socket_folder)), "large", self.home)
            rounds = [self._run_all(self._list(file, folders, workspace)) for _ in range(self.runs)]
        finally:
            shutil.rmtree(folders.own.parent)
            self.server.drop("large")
        return {name: _join([each[name] for each in rounds]) for name in rounds[0]}

    def _list(self, file: LargeFile, folders: Folders, workspace: Workspace) -> dict[str, Command]:
        """Return the commands in their order: ours with nothing to do come directly after our run."""
        chosen = [tool for tool in self.tools if tool.name in (PSQL, *file.tools)]
        commands = {tool.name: replace(tool.migrate(workspace, folders), prepare=self._create_empty) for tool in chosen}
        dry_run = replace(call_ours("migrate", "--dry-run")(workspace, folders), prepare=self._create_empty)
        return {
            **commands,
            DRY_RUN: dry_run,
            OURS: replace(call_ours("migrate")(workspace, folders), prepare=self._create_empty),
            AGAIN: call_ours("migrate")(workspace, folders),
            STATUS: call_ours("status")(workspace, folders),
        }

    def _run_all(self, commands: dict[str, Command]) -> dict[str, Measurement | str]:
        return {name: _run(command) for name, command in commands.items()}

    def _create_empty(self) -> None:
        self.server.drop("large")
        self.server.create("large")
        self.server.administer(sql.SQL("CHECKPOINT").format())

    def _write(self, file: LargeFile) -> Folders:
        """Write the file in the format of each tool that runs it; alembic executes the same file as this project."""
        folders = make_folders(self.home / "large")
        version = find_version(0)
        own = folders.own / "up" / f"{version}.sql"
        (folders.own / "down" / own.name).write_text(_DOWN)
        with own.open("w") as up:
            up.writelines(file.write(file.size))
        _join_files(folders.psql, "BEGIN;\n", own, "COMMIT;\n")
        if DBMATE in file.tools:
            _join_files(folders.dbmate / own.name, "-- migrate:up\n", own, f"-- migrate:down\n{_DOWN}")
        if ALEMBIC in file.tools:
            (folders.alembic / "versions" / f"{version}.py").write_text(_ALEMBIC_REVISION.format(version=version, path=str(own)))
        return folders


_ALEMBIC_REVISION = """\
from pathlib import Path
from alembic import op

revision = "{version}"
down_revision = None

def upgrade():
    op.execute(Path({path!r}).read_text())
"""


def _write_copy(size: int) -> Iterator[str]:
    yield f"{_TABLE}COPY loaded FROM stdin;\n"
    yield from _repeat(size, lambda number: f"{number}\tname {number}\t{_NOTE}\n")
    yield "\\.\n"


def _write_single_rows(size: int) -> Iterator[str]:
    yield _TABLE
    note = _NOTE.ljust(62, "!")
    yield from _repeat(size, lambda number: f"INSERT INTO loaded VALUES ({number:07}, 'name {number:07}', '{note}');\n")


def _write_many_rows(size: int) -> Iterator[str]:
    def write(number: int) -> str:
        first = number * _ROWS_A_STATEMENT
        rows = ",\n".join(f"({row}, 'name {row}', '{_NOTE}')" for row in range(first, first + _ROWS_A_STATEMENT))
        return f"INSERT INTO loaded VALUES\n{rows};\n"

    yield _TABLE
    yield from _repeat(size, write)


def _write_literal(size: int) -> Iterator[str]:
    yield f"{_TABLE}INSERT INTO loaded VALUES (1, 'literal', '"
    yield from _repeat(size, lambda number: f"{number} {_NOTE}\n")
    yield "');\n"


def _repeat(size: int, write: Callable[[int], str]) -> Iterator[str]:
    """Yield rows until their size is reached."""
    written = number = 0
    while written < size:
        text = write(number)
        yield text
        written += len(text)
        number += 1


def _join_files(path: Path, before: str, middle: Path, after: str) -> None:
    with path.open("wb") as target, middle.open("rb") as source:
        target.write(before.encode())
        shutil.copyfileobj(source, target)
        target.write(after.encode())


def _run(command: Command) -> Measurement | str:
    """Run a command, and return what it took or why it has no result."""
    try:
        return command.run(limit_s=_LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"not finished after {_LIMIT_S:.0f} s"
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.output or b"").decode(errors="replace").strip().splitlines()
        return f"failed with exit code {error.returncode}: {lines[-1][:100] if lines else ''}"


def _join(results: list[Measurement | str]) -> Sample | str:
    failure = next((each for each in results if isinstance(each, str)), None)
    return failure or build_sample([each for each in results if isinstance(each, Measurement)])
