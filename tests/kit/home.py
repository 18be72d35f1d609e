"""The folder of one test run: its servers, its files and its temporary folder; whatever is left of a run lies below it.

A run locks its folder as long as its process lives, however that ends. So the next run recognises the folders of dead runs, also
those of another container, whose process ids mean nothing here, and never touches that of a live run.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from tasks.postgres.server import control, embedded
from tasks.postgres.server.cluster import Cluster, ServerError
from tests.kit.processes import end_processes, find_processes
from tests.kit.waiting import wait_until

ENOUGH_MEMORY = 2 * 1024**3
_PREFIX = "gaia-tests-"
_MEMORY = Path("/dev/shm")
_DISK = Path("/tmp")


def make_home() -> Path:
    """Make the folder of this run, and remove those of dead runs.

    It is in memory if there is enough, where making a database takes a tenth of the time.
    """
    for place in (_MEMORY, _DISK):
        _remove_dead(place)
    has_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= ENOUGH_MEMORY
    place = _MEMORY if has_memory else _DISK
    while True:
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        if _lock(home) is not None:
            break
    # As root, the servers run as another account, which has to traverse it.
    home.chmod(0o711)
    make_temporary(home)
    return home


def make_temporary(home: Path) -> Path:
    """Make the temporary folder of this run, and make this process and those that it starts use it.

    It also marks them: their environment names the run.
    """
    folder = home / "tmp"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o1777)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    return folder


def choose_files_place(home: Path) -> Path:
    """Return the folder for the files of tests: in memory if programs may be run from there, where filling a disk is faster."""
    if not os.statvfs(home).f_flag & os.ST_NOEXEC:
        return home / "files"
    on_disk = _DISK / home.name
    on_disk.mkdir(mode=0o711)
    _lock(on_disk)
    return on_disk / "files"


def remove_home(home: Path) -> None:
    """End the processes of a run, stop its servers, unmount its disks and remove its files."""
    processes = find_marked(home)
    for process in processes:
        # A server does not end while one of its processes is frozen.
        with suppress(psutil.NoSuchProcess):
            process.resume()
    for data in _find_running(home):
        cluster = Cluster(data, embedded.find_programs())
        with suppress(ServerError):
            # The programs of any version can stop the server.
            control.stop(cluster)
        if cluster.socket_folder != data:
            shutil.rmtree(cluster.socket_folder, ignore_errors=True)
    end_processes(processes)
    for folder in sorted(find_mounts(home), reverse=True):
        unmount(folder)
    for part in {home, _DISK / home.name}:
        shutil.rmtree(part, ignore_errors=True)


def unmount(folder: Path) -> None:
    """Unmount a disk, and wait if a process that is ending uses it."""
    wait_until(lambda: subprocess.run(["umount", str(folder)], check=False).returncode == 0, what="umount")


def _remove_dead(place: Path) -> None:
    for home in place.glob(f"{_PREFIX}*"):
        if os.access(home, os.R_OK | os.W_OK):
            handle = _lock(home)
            if handle is not None:
                remove_home(home)
                os.close(handle)


def _lock(home: Path) -> int | None:
    """Lock a folder until this process ends or the returned handle is closed; return None if it is locked or removed."""
    try:
        handle = os.open(home, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if home.exists():
        return handle
    os.close(handle)
    return None


def find_marked(home: Path) -> list[psutil.Process]:
    """Return the processes that have the run's folder in their command line or their environment; not this one's ancestors."""
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    return find_processes(home.name, lambda process: process.pid not in spared and _names(process, home.name))


def _names(process: psutil.Process, mark: str) -> bool:
    with suppress(psutil.Error):
        if any(mark in word for word in process.cmdline()):
            return True
    with suppress(psutil.Error):
        return any(mark in value for value in process.environ().values())
    return False


def _find_running(home: Path) -> Iterator[Path]:
    """Yield the data directories whose server has not ended in order."""
    for folder, names, files in os.walk(home):
        if "PG_VERSION" in files:
            names.clear()
            if "postmaster.pid" in files:
                yield Path(folder)


def find_mounts(home: Path) -> list[Path]:
    """Return the mount points below the run's folder."""
    mounted = [Path(partition.mountpoint) for partition in psutil.disk_partitions(all=True)]
    return [folder for folder in mounted if home in folder.parents]
