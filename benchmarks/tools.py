"""The tools that are compared: how each is called, and how the ones that are not ours are installed."""

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
class Place:
    """A database on the server of the benchmarks, and a folder where the tools may keep what they like."""

    socket_folder: Path
    user: str
    database: str
    home: Path

    @property
    def url(self) -> str:
        """Return the URL as libpq reads it."""
        return f"postgresql://{self.user}@/{self.database}?host={quote(str(self.socket_folder), safe='')}"

    def command(self, *arguments: str | Path, **environment: str) -> Command:
        """Return a process that knows of this place and of little else."""
        common = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        return Command([str(argument) for argument in arguments], {**common, **environment})


@dataclass(frozen=True)
class Tool:
    """A way to run migrations; one that remembers nothing can do nothing else."""

    name: str
    migrate: Callable[[Place, Folders], Command]
    status: Callable[[Place, Folders], Command] | None = None


def list_tools(programs: Path, others: Path | None) -> list[Tool]:
    """List what can be compared: ours, psql from the server's programs, and dbmate and yoyo-migrations if they are there."""
    tools = [Tool(OURS, _call_ours("migrate"), _call_ours("status")), Tool(PSQL, _call_psql(programs))]
    if others is not None:
        tools.append(Tool("dbmate", _call_dbmate(others, "migrate"), _call_dbmate(others, "status")))
        tools.append(Tool("yoyo-migrations", _call_yoyo(others, "apply"), _call_yoyo(others, "list")))
    return tools


def import_driver(place: Place) -> Command:
    """Return the process that does nothing but import the driver: no run can be quicker than that."""
    return place.command(sys.executable, "-c", "import psycopg")


def install_others() -> Path | None:
    """Install dbmate and yoyo-migrations if they are not, and return the folder of their programs; None if that fails."""
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


def _call_ours(verb: str) -> Callable[[Place, Folders], Command]:
    script = REPOSITORY / "scripts" / "migrate.py"
    return lambda place, folders: place.command(
        sys.executable, script, verb, DATABASE_URL=place.url, MIGRATIONS_DIR=str(folders.own), SEEDS_DIR=str(place.home / "seeds")
    )


def _call_psql(programs: Path) -> Callable[[Place, Folders], Command]:
    options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    return lambda place, folders: place.command(programs / "psql", *options, f"--file={folders.psql}", place.url)


def _call_dbmate(programs: Path, verb: str) -> Callable[[Place, Folders], Command]:
    """Call dbmate without the dump of the schema that it makes after each run."""

    def call(place: Place, folders: Folders) -> Command:
        url = f"postgres://{place.user}@/{place.database}?socket={place.socket_folder}&sslmode=disable"
        options = ["--url", url, "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(folders.dbmate)]
        return place.command(programs / "dbmate", *options, verb)

    return call


def _call_yoyo(programs: Path, verb: str) -> Callable[[Place, Folders], Command]:
    """Call yoyo-migrations with the driver that we use too."""

    def call(place: Place, folders: Folders) -> Command:
        url = place.url.replace("postgresql:", "postgresql+psycopg:")
        return place.command(programs / "yoyo", verb, "--batch", "--no-config-file", "--database", url, folders.yoyo)

    return call
