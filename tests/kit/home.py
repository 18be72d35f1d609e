"""The folder that holds the servers of one test run."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from tasks.postgres.server import control, embedded
from tasks.postgres.server.cluster import Cluster

ENOUGH_MEMORY = 2 * 1024**3
_PREFIX = "gaia-tests-"
_DISK = Path("/tmp")


def choose_place() -> Path:
    """Return where servers are kept: in memory if there is room, where making a database takes a tenth of the time."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ENOUGH_MEMORY:
        return memory
    return _DISK


def choose_files_place(home: Path) -> Path | None:
    """Return where the tests' own folders are kept: in memory too if programs may be run from there; None for pytest's choice.

    Filling the disk of a machine takes half the time there.
    """
    in_memory = home.parent != _DISK
    return home / "files" if in_memory and not os.statvfs(home).f_flag & os.ST_NOEXEC else None


def make_home() -> Path:
    """Make the folder of this test run, ours as long as this process lives; remove those of runs that were killed."""
    place = choose_place()
    for home in place.glob(f"{_PREFIX}*"):
        if os.access(home, os.R_OK | os.W_OK) and _occupy(home):
            remove_home(home)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    # As root, the servers run as another account, which has to pass through.
    home.chmod(0o711)
    _occupy(home)
    return home


def remove_home(home: Path) -> None:
    """Stop every server in the folder and remove them all."""
    for data in home.glob("*/data"):
        # The programs of one version stop a server of any other.
        control.stop(Cluster(data, embedded.find_programs()))
    shutil.rmtree(home, ignore_errors=True)


def _occupy(home: Path) -> bool:
    """Lock the folder until this process ends, and tell whether that went well."""
    handle = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True
