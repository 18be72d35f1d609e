"""SHA-256 of many files: in a large folder, only of those that changed since the last look.

Opening ten thousand files costs ten times as much as asking for their sizes and times, so a folder that large gets a
cache beside the user's other caches. An entry counts only while size, times and inode are what they were, and if the file had
been at rest when it was read, as git's index does it: https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_CACHE_FROM = 1000
"""The number of files from which the cache pays; fewer are simply read."""
_REST_NS = 2_000_000_000
"""How long before its reading a file must have been left alone, in nanoseconds: coarser than any file system's clock."""


def read_checksums(folder: Path, entries: Mapping[str, os.DirEntry[str]]) -> tuple[dict[str, str], list[str]]:
    """Give the checksum of each file in the order of their names, and the name and the reason of each that cannot be read."""
    if len(entries) < _CACHE_FROM:
        return _hash(entries)
    now = time.time_ns()
    cache_file = _find_cache(folder)
    known = _load(cache_file) if cache_file else _Cache({}, {})
    states, problems = _look(folder, entries)
    if states == known.states:
        return known.checksums, problems
    changed = {name: entries[name] for name, state in states.items() if known.states.get(name) != state}
    fresh, unreadable = _hash(changed)
    kept = (name for name in states if name in fresh or name not in changed)
    checksums = {name: fresh.get(name) or known.checksums[name] for name in sorted(kept)}
    if cache_file:
        _store(cache_file, _Cache({name: states[name] for name in checksums if _had_rest(states[name], now)}, checksums))
    return checksums, problems + unreadable


class _Cache(NamedTuple):
    """Hold, by the files' names, what their stat was when they were read, and their checksums."""

    states: dict[str, str]
    checksums: dict[str, str]


def _hash(entries: Mapping[str, os.DirEntry[str]]) -> tuple[dict[str, str], list[str]]:
    """Read files; gives their checksums, and what cannot be read."""
    checksums: dict[str, str] = {}
    problems: list[str] = []
    for name, entry in sorted(entries.items()):
        try:
            checksums[name] = hashlib.sha256(Path(entry.path).read_bytes()).hexdigest()
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
    return checksums, problems


def _look(folder: Path, names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Give what says that a file is still the same: times, inode and size."""
    states: dict[str, str] = {}
    problems: list[str] = []
    # From its folder, a file is found sooner than from the root.
    here = os.open(folder, os.O_RDONLY)
    try:
        for name in names:
            try:
                stat = os.stat(name, dir_fd=here)
                states[name] = f"{stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino} {stat.st_size}"
            except OSError as error:
                problems.append(f"{name}: {error.strerror}")
    finally:
        os.close(here)
    return states, problems


def _had_rest(state: str, now: int) -> bool:
    """Tell whether a file had been left alone when it was read, so that another change would show in its times."""
    mtime, ctime, *_ = state.split()
    return now - max(int(mtime), int(ctime)) > _REST_NS


def _find_cache(folder: Path) -> Path | None:
    """Name the cache's file for a folder; None where the user has no home."""
    home = os.environ.get("HOME")
    base = os.environ.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    if not base:
        return None
    return Path(base) / "schema-migrations" / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]


def _load(file: Path) -> _Cache:
    """Read the cache: for each file three lines; one that is not whole counts as none."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return _Cache({}, {})
    names, states, checksums = lines[::3], lines[1::3], lines[2::3]
    if names.pop() or not len(names) == len(states) == len(checksums):
        return _Cache({}, {})
    return _Cache(dict(zip(names, states, strict=True)), dict(zip(names, checksums, strict=True)))


def _store(file: Path, cache: _Cache) -> None:
    """Write the cache in one move; a cache that cannot be written is only slower."""
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"{name}\n{state}\n{cache.checksums[name]}\n" for name, state in cache.states.items()]
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
