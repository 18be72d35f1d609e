"""A private folder for the secrets of one connection, which does not survive the process that made it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "migrate-private-"
_LOCK = "in-use"
"""The file in the folder that its process keeps locked: the kernel releases the lock when the process ends, however it ends."""
_UNLOCKED_S = 24 * 3600
"""How old a folder without that file must be to be removed: its process may be about to create it."""


@contextmanager
def make_private_temporary_folder() -> Iterator[Path]:
    """Yield a new folder that only this user can read, and remove it with what is in it.

    Folders of processes that were killed are removed before.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, open(Path(name) / _LOCK, "w", opener=_open_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove_abandoned(parent: Path) -> None:
    """Remove the private folders of this user that no process uses; what cannot be examined or removed is left."""
    with suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if _is_ours(folder) and _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Return True for a folder as `make_private_temporary_folder` creates it: of this user, private, and not a link."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = (folder / _LOCK).open()
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime > _UNLOCKED_S
    with lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
