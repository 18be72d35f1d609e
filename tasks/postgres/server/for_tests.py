"""The embedded server for the tests of an application: a second one, which does not wait for the disk.

A new database is written completely when it is created, and on a busy disk fsync takes most of that time. Without it the data may
be damaged after a crash of the operating system. It is only copies, so that it is then removed.
https://www.postgresql.org/docs/current/non-durability.html
"""

import shutil
from pathlib import Path

from tasks.postgres.server import cluster, embedded
from tasks.postgres.server.folder_lock import lock
from tasks.postgres.server.private_folder import make_private_folder

_FOLDER = "tests"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # The databases live for seconds.
    "autovacuum": "off",
    # Each test process has three sessions of its own, beside those of the application's pools.
    "max_connections": "300",
}


def start(home: Path) -> str:
    """Start the server for tests beside the embedded server of `home`, and return the URL of its administrative database.

    It keeps running when this process ends. Raises EmbeddedServerError.
    """
    folder = home / _FOLDER
    server = embedded.find_server(folder)
    if not folder.is_dir() or not cluster.is_ready(server):
        make_private_folder(home)
        _remove_after_crash(folder)
    embedded.start(folder, _SETTINGS)
    return embedded.start_for_clients(folder, "postgres")


def stop(home: Path) -> bool:
    """Stop the server for tests of `home` and return True if it was running. Raises EmbeddedServerError."""
    return embedded.stop(home / _FOLDER)


def _remove_after_crash(folder: Path) -> None:
    """Remove the data of a server that was running when the operating system ended."""
    # Imported late, because a process that finds the server running does not need it.
    import psutil

    if not folder.is_dir():
        return
    server = embedded.find_server(folder)
    with lock(folder):
        try:
            started = (server.data / "postmaster.pid").stat().st_mtime
        except FileNotFoundError:
            return
        if started < psutil.boot_time() and not cluster.is_ready(server):
            shutil.rmtree(server.data)
