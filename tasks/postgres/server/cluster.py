"""A PostgreSQL data directory: its files, and the state of its server.

The server listens on a Unix socket in its data directory: the permissions of the directory decide who may connect, and the
socket always belongs to the server of this directory. The embedded server listens on 127.0.0.1 too, see tcp.py.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PORT = 5432
"""The port of a server without TCP, where it is only a part of the socket's name."""
SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 100
"""In bytes; Linux allows 107 and macOS 103 (sockaddr_un)."""

SOCKET_PREFIX = ".s.PGSQL."
_PORT_LINE, _ADDRESS_LINE, _STATUS_LINE = 3, 5, 7
"""Lines of postmaster.pid. https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h"""
_LOG_TAIL_LINES = 15


class ServerError(Exception):
    """A PostgreSQL server cannot be created, started or stopped; with what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Create an error from what happened and what to do next."""
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Cluster:
    """A data directory and the programs that serve it."""

    data: Path
    programs: Path

    @property
    def log(self) -> Path:
        """Return the file that the server logs to."""
        return self.data.with_name("server.log")

    @property
    def socket_folder(self) -> Path:
        """Return the folder of the socket: the data directory, or one in /tmp if its path is too long or has a comma.

        libpq takes a comma as the end of a host.
        """
        if len(os.fsencode(self.data / f"{SOCKET_PREFIX}{PORT}")) <= LONGEST_SOCKET_PATH and "," not in str(self.data):
            return self.data
        return Path("/tmp", f"gaia-postgres-{self.identity}")

    @property
    def socket(self) -> Path:
        """Return the socket that the server listens on."""
        return self.socket_folder / f"{SOCKET_PREFIX}{self.port}"

    @property
    def port(self) -> int:
        """Return the port of the server, or of its newest start if it is not running."""
        lines = _read_pid_file(self)
        text = lines[_PORT_LINE].strip() if len(lines) > _PORT_LINE else ""
        return int(text) if text.isdigit() else PORT

    @property
    def listens(self) -> bool:
        """Return True if the server was started with TCP."""
        lines = _read_pid_file(self)
        return len(lines) > _ADDRESS_LINE and bool(lines[_ADDRESS_LINE].strip())

    @property
    def identity(self) -> str:
        """Return an identity that is unique on this machine, and stays the same when the data directory is moved."""
        status = self.data.stat()
        return f"{status.st_dev}-{status.st_ino}"

    @property
    def mark(self) -> str:
        """Return a setting that is on the command line of this cluster's server only.

        The working directory would identify the server too, but root in a container may not see that of another account.
        """
        return f"gaia.data={self.identity}"

    def url(self, database: str) -> str:
        """Return the URL of a database on this server by its socket, for psycopg and psql.

        The usual port is in it where the socket has a link of that name, so that the URL does not depend on the port of TCP.
        """
        # Without the port, PGPORT would be used.
        port = PORT if (self.socket_folder / f"{SOCKET_PREFIX}{PORT}").exists() else self.port
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={port}"


def is_ready(cluster: Cluster) -> bool:
    """Return True if the server accepts connections.

    Raises PermissionError if the directory belongs to another account.
    """
    lines = _read_pid_file(cluster)
    if len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() != "ready":
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            # In /tmp, any account can create a socket with the name of a server's.
            if cluster.socket.lstat().st_uid != cluster.data.stat().st_uid:
                return False
            client.connect(str(cluster.socket))
        except BlockingIOError:
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def read_pid(cluster: Cluster) -> int | None:
    """Return the process id that the data directory's lock file names, alive or not."""
    lines = _read_pid_file(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def read_major_version(data: Path) -> str | None:
    """Return the major version of PostgreSQL that made this data directory, or None if there is none."""
    try:
        return (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return None


def read_command(cluster: Cluster) -> tuple[Path, list[str]]:
    """Return the program and the arguments of the server's newest start, which the server writes to postmaster.opts."""
    try:
        program, *quoted = (cluster.data / "postmaster.opts").read_text(errors="surrogateescape").rstrip("\n").split(' "')
    except FileNotFoundError:
        return Path(), []
    return Path(program), [text.removesuffix('"') for text in quoted]


def is_postmaster(pid: int, cluster: Cluster) -> bool:
    """Return True if a process is this cluster's server, whether it is ready, starting or stopping."""
    # Imported late, because a command with a running server does not need it.
    import psutil

    try:
        return cluster.mark in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def read_log_tail(cluster: Cluster, offset: int = 0) -> str:
    """Return the last lines of the log after the first `offset` bytes, each indented on its own line."""
    try:
        with cluster.log.open("rb") as log:
            log.seek(offset)
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in lines[-_LOG_TAIL_LINES:])


def _read_pid_file(cluster: Cluster) -> list[str]:
    try:
        return (cluster.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
