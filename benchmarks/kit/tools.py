"""The tools to compare: how to call each, and how to install those of others."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.kit.folders import Folders
from benchmarks.kit.timing import Command
from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.projects import REPOSITORY

OURS, PSQL, DBMATE, YOYO, ALEMBIC = "scripts/migrate.py", "psql -f", "dbmate", "yoyo-migrations", "alembic"
_REQUIREMENTS = Path(__file__).parent.with_name("requirements.txt")
_ENVIRONMENT = Path(__file__).parent.with_name(".venv")
_INSTALL_S = 120.0
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=15")


@dataclass(frozen=True)
class ServerRoute:
    """How a server is reached: by the folder of its socket, or by TCP with a port and a password."""

    host: str
    port: int = 0
    password: str = ""

    def build_url(self, scheme: str, database: str) -> str:
        """Return the URL of a database in the format of libpq, with this scheme."""
        if not self.port:
            return f"{scheme}://{SUPERUSER}@/{database}?host={quote(self.host, safe='')}"
        # Not every client would ask for encryption first, which is another round trip.
        user = f"{SUPERUSER}:{self.password}" if self.password else SUPERUSER
        return f"{scheme}://{user}@{self.host}:{self.port}/{database}?sslmode=disable"


@dataclass(frozen=True)
class Workspace:
    """A database on the server of the benchmarks, and a home folder for the tools."""

    route: ServerRoute
    database: str
    home: Path

    @property
    def url(self) -> str:
        """Return the URL in the format of libpq."""
        return self.route.build_url("postgresql", self.database)

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
    """Return the tools: ours, psql from the server's programs, and those of others if they are installed."""
    tools = [Tool(OURS, call_ours("migrate"), call_ours("status")), Tool(PSQL, _call_psql(programs))]
    if others is not None:
        tools.append(Tool(DBMATE, _call_dbmate(others, "migrate"), _call_dbmate(others, "status")))
        tools.append(Tool(YOYO, _call_yoyo(others, "apply"), _call_yoyo(others, "list")))
        tools.append(Tool(ALEMBIC, _call_alembic(others, "upgrade", "head"), _call_alembic(others, "current")))
    return tools


def import_driver(workspace: Workspace) -> Command:
    """Return a process that only imports the driver: the lower limit for a run."""
    return workspace.command(sys.executable, "-c", "import psycopg")


@functools.cache
def install_other_tools() -> Path | None:
    """Install the tools of others if necessary, and return the folder of their programs, or None after printing why it failed."""
    programs, stamp = _ENVIRONMENT / "bin", _ENVIRONMENT / "installed"
    if stamp.exists() and stamp.read_text() == _REQUIREMENTS.read_text():
        return programs
    print(f"\nInstalling {_REQUIREMENTS.name} into {_ENVIRONMENT}, for at most {_INSTALL_S:.0f} s ...", flush=True)
    venv.create(_ENVIRONMENT, with_pip=True, clear=True)
    (_ENVIRONMENT / ".gitignore").write_text("*\n")
    install = [str(programs / "python"), *_PIP, "-r", str(_REQUIREMENTS)]
    try:
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired:
        reason = "it took too long"
    else:
        stamp.write_text(_REQUIREMENTS.read_text())
        return programs
    print(f"The tools of others are skipped, because they could not be installed: {reason}", flush=True)
    return None


def call_ours(*arguments: str) -> Callable[[Workspace, Folders], Command]:
    """Call our tool with these arguments."""
    script = REPOSITORY / "scripts" / "migrate.py"
    return lambda workspace, folders: workspace.command(
        sys.executable,
        script,
        *arguments,
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
        route = workspace.route
        by_socket = f"postgres://{SUPERUSER}@/{workspace.database}?socket={route.host}&sslmode=disable"
        url = route.build_url("postgres", workspace.database) if route.port else by_socket
        options = ["--url", url, "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(folders.dbmate)]
        return workspace.command(programs / "dbmate", *options, verb)

    return call


def _call_yoyo(programs: Path, verb: str) -> Callable[[Workspace, Folders], Command]:
    """Call yoyo-migrations with the driver that we use."""

    def call(workspace: Workspace, folders: Folders) -> Command:
        url = workspace.route.build_url("postgresql+psycopg", workspace.database)
        return workspace.command(programs / "yoyo", verb, "--batch", "--no-config-file", "--database", url, folders.yoyo)

    return call


def _call_alembic(programs: Path, *arguments: str) -> Callable[[Workspace, Folders], Command]:
    """Call alembic with the driver that we use, and a transaction for each migration."""

    def call(workspace: Workspace, folders: Folders) -> Command:
        url = workspace.route.build_url("postgresql+psycopg", workspace.database)
        return workspace.command(programs / "alembic", f"--config={folders.alembic / 'alembic.ini'}", *arguments, ALEMBIC_URL=url)

    return call
