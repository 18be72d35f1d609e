"""The folder of the server, which only its account may enter: who may write there can replace the data directory."""

import errno
import os
import stat
from pathlib import Path

_PRIVATE = 0o700
_PARENTS = 0o755


def make_private_folder(folder: Path) -> None:
    """Create a folder that is private whatever the umask, or make an existing one private.

    Raises PermissionError as `check_owner` does.
    """
    for parent in reversed(folder.parents):
        if not parent.exists():
            parent.mkdir(mode=_PARENTS, exist_ok=True)
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    check_owner(folder)
    if stat.S_IMODE(folder.stat().st_mode) & ~_PRIVATE:
        folder.chmod(_PRIVATE)


def check_owner(folder: Path) -> None:
    """Raise PermissionError if a folder belongs to another account than this process; root may use that of any account."""
    if os.geteuid() not in (0, folder.stat().st_uid):
        raise PermissionError(errno.EACCES, "it belongs to another account", str(folder))


def check_same_owner(data: Path, folder: Path) -> None:
    """Raise PermissionError if a data directory is not of the account of its folder; it may be missing.

    Where a folder was writable for others, another account may have put a data directory of its own there. As root, the folder
    may still be root's, and the data directory that of the server's account.
    """
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        return
    if owner not in (folder.stat().st_uid, os.geteuid()) and not (os.geteuid() == 0 == folder.stat().st_uid):
        raise PermissionError(errno.EACCES, "it belongs to another account", str(data))
