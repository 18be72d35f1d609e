"""Write files atomically, and never through a link: what a link leads to may be any file of the machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import show_path

_NEW_MODE = 0o666
"""The permissions of a new file, from which those of the umask are taken."""
_PERMISSIONS = 0o777


def write_file(path: Path, data: bytes, *, within: Path | None = None, mode: int | None = None) -> None:
    """Write a file through a new temporary file beside it, so that it is never seen half written.

    An existing file keeps its permissions, unless there is a `mode`. Raises as `replace_file` does.
    """
    with replace_file(path, within=within, mode=mode) as file:
        file.write(data)


@contextmanager
def replace_file(path: Path, *, within: Path | None = None, mode: int | None = None) -> Iterator[BinaryIO]:
    """Yield a temporary file beside a path, which takes its place if the block succeeds; else the path is unchanged.

    What a killed process left of an earlier try is removed. Raises RefusedError as `refuse_links` does, and OSError if the file
    cannot be written.
    """
    refuse_links([path], within)
    _remove_leftovers(path)
    temporary, descriptor = _create_temporary(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy_permissions(descriptor, path, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_links(paths: Iterable[Path], within: Path | None = None, *, done: str = "written or removed") -> None:
    """Raise RefusedError if one of the files that something is `done` to is a device or a pipe, or is reached through a link.

    The folders below `within` are checked too; that folder itself may be a link, because a setting names it.
    """
    for path in paths:
        link = _find_link(path, within)
        if link is not None:
            raise RefusedError(
                f"{show_path(link)} is a link to {link.readlink()}, and nothing is {done} through a link",
                hint="Replace the link by what it leads to, or name that itself.",
                state="Nothing was changed.",
            )
        with suppress(FileNotFoundError, NotADirectoryError):
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise RefusedError(f"{show_path(path)} is not a regular file", state="Nothing was changed.")


def _find_link(path: Path, within: Path | None) -> Path | None:
    """Return the link by which a file would be reached: itself, or a folder below `within`."""
    folders = path.parents if within is not None and within in path.parents else ()
    below = [path, *(folder for folder in folders if within in folder.parents)]
    return next((each for each in below if each.is_symlink()), None)


def _create_temporary(path: Path) -> tuple[Path, int]:
    """Create a temporary file beside a path and return it open, with a lock that shows that it is in use."""
    while True:
        temporary = path.with_name(f"{_name_temporaries(path)}{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _NEW_MODE)
        # Some network file systems have no locks; there, leftovers stay.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # Another process took it for a leftover before it was locked.


def _name_temporaries(path: Path) -> str:
    """Return how the names of a file's temporary files begin; short, because the name of the file may be as long as possible."""
    return f".write-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of a path that no process has open."""
    for left in path.parent.glob(f"{_name_temporaries(path)}*"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _copy_permissions(descriptor: int, path: Path, mode: int | None) -> None:
    """Set the permissions of a new file to those of the one that it replaces, and its owner if this process may do that."""
    try:
        old = path.lstat()
    except FileNotFoundError:
        if mode is not None:
            os.fchmod(descriptor, mode)
        return
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & _PERMISSIONS if mode is None else mode)
