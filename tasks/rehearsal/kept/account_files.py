"""Files in the cache folder of the account, so that no checkout, and no pull request, can bring one.

A file that other accounts can write counts as missing.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tasks.postgres.server.private_folder import make_private_folder

_FOLDER = "gaia-migrations"
_LARGEST = 64 << 20
_FOR_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def find_folder(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the path of a folder of this tool in the cache folder of the account; None where there is no such folder."""
    stated = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    folder = Path(stated) if stated else Path(home) / ".cache" if home else None
    return folder / _FOLDER / name if folder and folder.is_absolute() else None


def read_own(path: Path) -> str | None:
    """Return the text of a file that only this account can write; None for any other file, and for one that is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, encoding="utf-8") as file:
            facts = os.fstat(descriptor)
            if not _is_own(facts) or not _is_own(path.parent.stat()) or facts.st_size > _LARGEST:
                return None
            return file.read()
    except (OSError, ValueError):
        return None


def write_own(path: Path, text: str) -> None:
    """Write a file in one step; what cannot be written costs time at the next command, and nothing else."""
    with suppress(OSError):
        make_private_folder(path.parent)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise


def _is_own(facts: os.stat_result) -> bool:
    is_known = stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)
    return is_known and facts.st_uid == os.geteuid() and not facts.st_mode & _FOR_OTHERS
