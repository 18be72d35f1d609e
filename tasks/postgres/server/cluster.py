"""A PostgreSQL data directory: where things are in it, and what it tells of its server.

The server listens on a Unix socket in its data directory only: that directory's permissions decide who may connect, and
whoever answers there is the server of this very directory.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PORT = 5432
SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 100
"""Bytes, of the 107 that Linux allows and the 103 of macOS (sockaddr_un)."""

_SOCKET = f".s.PGSQL.{PORT}"
_STATUS_LINE = 7
_LOG_TAIL_LINES = 15


class ServerError(Exception):
    """Say that a PostgreSQL server cannot be made, started or stopped, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Take what happened, and what the reader can do about it."""
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
        """Return the folder of the socket: the data directory, or one in /tmp where that path will not do.

        That is when it is too long, or contains a comma, which libpq takes for the end of a host.
        """
        if len(os.fsencode(self.data / _SOCKET)) <= LONGEST_SOCKET_PATH and "," not in str(self.data):
            return self.data
        return Path("/tmp", f"gaia-postgres-{self.identity}")

    @property
    def socket(self) -> Path:
        """Return the socket that the server listens on."""
        return self.socket_folder / _SOCKET

    @property
    def identity(self) -> str:
        """Return what tells this data directory from all others on the machine, and stays when it is moved."""
        status = self.data.stat()
        return f"{status.st_dev}-{status.st_ino}"

    @property
    def mark(self) -> str:
        """Return the setting that is on the command line of this cluster's server and of no other.

        The server's working directory would tell as well, but root in a container may not see that of another account.
        """
        return f"gaia.data={self.identity}"

    def url(self, database: str) -> str:
        """Return the URL of a database on this server, for psycopg and psql alike."""
        # The port is named, for PGPORT would be taken in its place.
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"


def is_ready(cluster: Cluster) -> bool:
    """Tell whether the server accepts connections. Raises PermissionError if the directory is another account's."""
    lines = _read_pid_file(cluster)
    if len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() != "ready":
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            # In /tmp, anybody can put a socket where a server's was.
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


def is_postmaster(pid: int, cluster: Cluster) -> bool:
    """Tell whether a process is this cluster's server, be it ready or on its way up or down."""
    # Imported here, for a command that finds its server running has no need of it.
    import psutil

    try:
        return cluster.mark in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def read_log_tail(cluster: Cluster, offset: int = 0) -> str:
    """Return the last lines of the log that come after the first `offset` bytes, each on an indented line of its own."""
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
