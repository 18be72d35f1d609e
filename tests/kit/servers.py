"""The servers that tests share: the embedded PostgreSQL, and those of other versions that are present."""

import re
import shutil
import subprocess
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tasks.postgres.server import control, embedded
from tasks.postgres.server.cluster import Cluster
from tasks.postgres.server.folder_lock import lock
from tests.kit.downloads import SERVERS

FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "max_wal_size": "256MB",
}
"""A server of a test run needs no durability."""

SMALL_CLUSTER_OPTIONS = ("--no-sync", "--locale=C", "--wal-segsize=1")
_DROPS_AT_ONCE = 8


@dataclass
class Server:
    """A running PostgreSQL server."""

    cluster: Cluster
    _connection: psycopg.Connection[Any] | None = field(default=None, repr=False)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database on this server."""
        return self.cluster.url(database)

    def administer(self, statement: sql.Composed) -> None:
        """Run one statement in the server's maintenance database."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url(), autocommit=True)
        self._connection.execute(statement)

    def create(self, database: str) -> None:
        """Create an empty database."""
        self.administer(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database)))

    def drop(self, database: str) -> None:
        """Drop a database together with the sessions in it."""
        self.administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def close(self) -> None:
        """Close the connection that `administer` uses."""
        if self._connection is not None:
            self._connection.close()


class SharedServer(Server):
    """A server of the run: databases are dropped while the next test runs.

    A drop mostly waits, for a checkpoint and for other sessions.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._behind = Server(cluster)
        # It connects now, since a test may count the open files of its process.
        self._behind.administer(sql.SQL("SELECT").format())
        self._thread = ThreadPoolExecutor(1)
        self._drops: deque[Future[None]] = deque()

    def drop(self, database: str) -> None:
        """Schedule the drop of a database with its sessions; wait if many are scheduled already."""
        self._drops.append(self._thread.submit(self._behind.drop, database))
        while len(self._drops) > _DROPS_AT_ONCE or (self._drops and self._drops[0].done()):
            self._drops.popleft().result()

    def close(self) -> None:
        """Wait for the drops, and close the connections."""
        super().close()
        for drop in self._drops:
            drop.result()
        self._thread.shutdown()
        self._behind.close()


@cache
def find_machine_programs() -> Path | None:
    """Return the folder of the newest installed PostgreSQL server programs, or None."""
    return next(iter(_list_installed()), None)


@cache
def find_programs() -> dict[int, Path]:
    """Return the folders of the server programs on this machine by major version, oldest first.

    The embedded ones come before those that ./scripts/download-servers.sh has downloaded, and these before installed ones.
    """
    by_major: dict[int, Path] = {}
    for folder in (embedded.find_programs(), *sorted(SERVERS.glob("[0-9]*/bin")), *_list_installed()):
        by_major.setdefault(read_major_version(folder), folder)
    return dict(sorted(by_major.items()))


def find_own_settings(programs: Path) -> dict[str, str]:
    """Return the settings with which the tool starts a server of these programs: those of the embedded server, or none."""
    return embedded.build_settings() if programs == embedded.find_programs() else {}


def _list_installed() -> list[Path]:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[-3]), reverse=True)
    on_path = shutil.which("pg_ctl")
    found = [*packaged, *([Path(on_path)] if on_path else [])]
    return [path.parent for path in found if path.with_name("initdb").exists()]


@cache
def read_major_version(programs: Path) -> int:
    """Return the major version of the PostgreSQL programs in a folder."""
    answer = subprocess.run([programs / "initdb", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"\d+", answer)[0])


def start_server(home: Path, programs: Path) -> Server:
    """Return the server in `home`; start it if no other worker has."""
    home.mkdir(exist_ok=True)
    shared = Cluster(home.absolute() / "data", programs)
    with lock(home):
        if not shared.data.exists():
            control.create(shared, SMALL_CLUSTER_OPTIONS)
        control.start(shared, FAST_SETTINGS | find_own_settings(programs))
        # The first session writes a cache file, with which later ones, in copies too, read the catalog faster.
        psycopg.connect(shared.url("template1")).close()
    return SharedServer(shared)
