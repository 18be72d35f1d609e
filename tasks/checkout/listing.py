"""The files of a checkout: those that git knows or would add, or else those of a folder, within limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tasks.checkout.git import Repository

_MAX_FILES = 50_000
_MAX_BYTES = 1 << 20
_BINARY_HEAD = 8192
_IGNORED = frozenset({"node_modules", "__pycache__", "venv", "vendor", "dist", "build", "target"})
"""The folders that are not searched without git, with those that begin with a dot; with it, .gitignore decides."""
_CI = frozenset({".github", ".gitlab", ".circleci", ".buildkite", ".devcontainer"})


def list_checkout(folder: Path) -> tuple[Path, list[Path]]:
    """Return the root of the checkout of a folder and its regular files, at most 50,000; links are not followed.

    Without git, the root is the folder.
    """
    root, names = Repository(folder).list_files()
    found = (root / name for name in sorted(names)) if root is not None else _walk(folder)
    return root or folder, [path for path, _ in zip(found, range(_MAX_FILES), strict=False)]


def read_text(path: Path, root: Path) -> str:
    """Return the text of a file; empty for a link, for a file behind a link, and for one that is binary, large or unreadable."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES or not path.resolve().is_relative_to(root.resolve()):
            return ""
        data = path.read_bytes()
    except (OSError, RuntimeError):
        return ""
    return "" if b"\0" in data[:_BINARY_HEAD] else data.decode(errors="replace")


def _walk(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if name in _CI or (name[0] != "." and name not in _IGNORED))
        yield from (Path(place, name) for name in sorted(names))
