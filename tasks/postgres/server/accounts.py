"""The operating system account that a PostgreSQL server runs under.

PostgreSQL refuses to run as root. If this process runs as root, the server runs as another account, which needs access to the
server's programs and its data directory.
"""

import logging
import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.postgres.server.folder_lock import lock

SYSTEM_ACCOUNT = "pgserver"
"""The account that is created for the server if the project folder belongs to root."""

_ACCOUNTS_FOLDER = Path("/etc")

_log = logging.getLogger(__name__)


class AccountError(Exception):
    """There is no account that can run the server."""


@dataclass(frozen=True)
class Account:
    """An account of the operating system, for `subprocess` and `chown`."""

    name: str
    uid: int
    gid: int

    def subprocess_arguments(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess.run` drop from root to this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def choose_account(folder: Path) -> Account | None:
    """Return the account for a new server in `folder`, or None for that of this process.

    As root: the owner of the folder, so that the owner can use the server later; if that is root, a system account.
    Raises AccountError if the system account cannot be created.
    """
    if os.geteuid() != 0:
        return None
    return _find_account(uid=folder.stat().st_uid) or _find_account(name=SYSTEM_ACCOUNT) or _create_system_account()


def find_owner(data: Path) -> Account | None:
    """Return the account that owns a data directory and must run its server, or None for that of this process."""
    if os.geteuid() != 0:
        return None
    status = data.stat()
    return _find_account(uid=status.st_uid) or Account(f"user {status.st_uid}", status.st_uid, status.st_gid)


def open_passage(path: Path, account: Account) -> None:
    """Add the search permission for `account` to every folder above `path` that lacks it.

    Searching is not listing. Of root's own folders, one that no group may use gets the account's group, so that others still
    may not search it: 0700 becomes 0710. Any other folder, whose group is in use, becomes searchable for all: 0750 becomes 0751.
    """
    for folder in path.absolute().parents:
        lacking = _lacking_bits(folder, account, stat.S_IXOTH)
        if lacking:
            _log.warning("PostgreSQL runs as %s, which may now search %s", account.name, folder)
            status = folder.stat()
            if lacking == stat.S_IXOTH and status.st_uid == 0 and not status.st_mode & stat.S_IRWXG:
                os.chown(folder, -1, account.gid)
                lacking = stat.S_IXGRP
            folder.chmod(stat.S_IMODE(status.st_mode) | lacking)


def open_programs(install: Path, account: Account) -> None:
    """Add the permissions for `account` to read and run the files of the PostgreSQL installation at `install`."""
    open_passage(install, account)
    for path in _walk(install):
        is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        lacking = _lacking_bits(path, account, stat.S_IROTH | (stat.S_IXOTH if is_program else 0))
        if lacking:
            path.chmod(stat.S_IMODE(path.stat().st_mode) | lacking)


def _find_account(*, uid: int | None = None, name: str = "") -> Account | None:
    try:
        entry = pwd.getpwnam(name) if uid is None else pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _create_system_account() -> Account:
    """Create the account, one process at a time: a second useradd at the same time may assign another uid."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SYSTEM_ACCOUNT]
    with lock(_ACCOUNTS_FOLDER):
        account = _find_account(name=SYSTEM_ACCOUNT)
        if account is not None:
            return account
        try:
            reason = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
        except OSError as error:
            reason = str(error)
        account = _find_account(name=SYSTEM_ACCOUNT)
    if account is None:
        raise AccountError(f"the account {SYSTEM_ACCOUNT} cannot be created: {reason}")
    return account


def _lacking_bits(path: Path, account: Account, wanted: int) -> int:
    status = path.stat()
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid == account.gid:
        wanted <<= 3
    return wanted & ~status.st_mode


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for root, folders, files in os.walk(folder):
        yield from (path for name in folders + files if (path := Path(root, name)).exists() and not path.is_symlink())
