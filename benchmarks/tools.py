"""The tools to compare: how to call each, and how to install those of others."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.folders import Folders
from benchmarks.timing import Command
from tests.kit.projects import REPOSITORY

OURS, PSQL = "scripts/migrate.py", "psql -f"
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_ENVIRONMENT = Path(__file__).with_name(".venv")


@dataclass(frozen=True)
class Workspace:
    """A database on the server of the benchmarks, and a home folder for the tools."""

    socket_folder: Path
    user: str
    database: str
    home: Path

    @property
    def url(self) -> str:
        """Return the URL in the format of libpq."""
        return f"postgresql://{self.user}@/{self.database}?host={quote(str(self.socket_folder), safe='')}"

    def command(self, *arguments: str | Path, **environment: str) -> Command:
        """Return a process with a minimal environment."""
        common = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        return Command([str(argument) for argument in arguments], {**common, **environment})


@dataclass(frozen=True)
class Tool:
    """A tool that runs migrations; one without `status` does not record what it applied."""

    name: str
    migrate: Callable[[Workspace, Folders], Command]
    status: Callable[[Workspace, Folders], Command] | None = None


def list_tools(programs: Path, others: Path | None) -> list[Tool]:
    """Return the tools: ours, psql from the server's programs, and dbmate and yoyo-migrations if they are installed."""
    tools = [Tool(OURS, _call_ours("migrate"), _call_ours("status")), Tool(PSQL, _call_psql(programs))]
    if others is not None:
        tools.append(Tool("dbmate", _call_dbmate(others, "migrate"), _call_dbmate(others, "status")))
        tools.append(Tool("yoyo-migrations", _call_yoyo(others, "apply"), _call_yoyo(others, "list")))
    return tools


def import_driver(workspace: Workspace) -> Command:
    """Return a process that only imports the driver: the lower limit for a run."""
    return workspace.command(sys.executable, "-c", "import psycopg")


def install_other_tools() -> Path | None:
    """Install dbmate and yoyo-migrations if necessary, and return the folder of their programs, or None if that fails."""
    programs, stamp = _ENVIRONMENT / "bin", _ENVIRONMENT / "installed"
    if stamp.exists() and stamp.read_text() == _REQUIREMENTS.read_text():
        return programs
    venv.create(_ENVIRONMENT, with_pip=True, clear=True)
    (_ENVIRONMENT / ".gitignore").write_text("*\n")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=False).returncode != 0:
        return None
    stamp.write_text(_REQUIREMENTS.read_text())
    return programs


def _call_ours(verb: str) -> Callable[[Workspace, Folders], Command]:
    script = REPOSITORY / "scripts" / "migrate.py"
    return lambda workspace, folders: workspace.command(
        sys.executable,
        script,
        verb,
        DATABASE_URL=workspace.url,
        MIGRATIONS_DIR=str(folders.own),
        SEEDS_DIR=str(workspace.home / "seeds"),
    )


def _call_psql(programs: Path) -> Callable[[Workspace, Folders], Command]:
    options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    return lambda workspace, folders: workspace.command(programs / "psql", *options, f"--file={folders.psql}", workspace.url)


def _call_dbmate(programs: Path, verb: str) -> Callable[[Workspace, Folders], Command]:
    """Call dbmate without the schema dump that it writes after each run."""

    def call(workspace: Workspace, folders: Folders) -> Command:
        url = f"postgres://{workspace.user}@/{workspace.database}?socket={workspace.socket_folder}&sslmode=disable"
        options = ["--url", url, "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(folders.dbmate)]
        return workspace.command(programs / "dbmate", *options, verb)

    return call


def _call_yoyo(programs: Path, verb: str) -> Callable[[Workspace, Folders], Command]:
    """Call yoyo-migrations with the driver that we use."""

    def call(workspace: Workspace, folders: Folders) -> Command:
        url = workspace.url.replace("postgresql:", "postgresql+psycopg:")
        return workspace.command(programs / "yoyo", verb, "--batch", "--no-config-file", "--database", url, folders.yoyo)

    return call
