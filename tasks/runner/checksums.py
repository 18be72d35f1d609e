"""SHA-256 of many files: in a large folder, only of those that changed since the last look.

Opening ten thousand files costs ten times as much as asking for their sizes and times, so a folder that large gets a
cache beside the user's other caches. An entry counts only while size, times and inode are what they were, and if the file had
been at rest when it was read, as git's index does it: https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

_CACHE_FROM = 1000
"""The number of files from which the cache pays; fewer are simply read."""
_REST_NS = 2_000_000_000
"""How long before its reading a file must have been left alone, in nanoseconds: coarser than any file system's clock."""


def read_checksums(folder: Path, files: Mapping[str, os.stat_result]) -> tuple[dict[str, str], list[str]]:
    """Give the checksum of each file by name, and the name and the reason of each that cannot be read."""
    cache_file = _find_cache(folder) if len(files) >= _CACHE_FROM else None
    known = _load(cache_file) if cache_file else {}
    checksums: dict[str, str] = {}
    fresh: dict[str, list[str]] = {}
    problems: list[str] = []
    now = time.time_ns()
    for name, stat in files.items():
        key = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}" if cache_file else ""
        entry = known.get(name)
        if entry is not None and entry[0] == key:
            checksums[name] = entry[1]
            continue
        try:
            checksums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
            continue
        if now - max(stat.st_mtime_ns, stat.st_ctime_ns) > _REST_NS:
            fresh[name] = [key, checksums[name]]
    if cache_file and fresh:
        _store(cache_file, {name: entry for name, entry in (known | fresh).items() if name in files})
    return checksums, problems


def _find_cache(folder: Path) -> Path | None:
    """Name the cache's file for a folder; None where the user has no home."""
    home = os.environ.get("HOME")
    base = os.environ.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    if not base:
        return None
    return Path(base) / "schema-migrations" / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]}.json"


def _load(file: Path) -> dict[str, list[str]]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _store(file: Path, entries: Mapping[str, list[str]]) -> None:
    """Write the cache in one move; a cache that cannot be written is only slower."""
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_text(json.dumps(entries), encoding="utf-8")
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
