"""Reading and hashing a large folder, beside the least that a cache of checksums would cost.

A cache has to ask for the size and the times of each file, so it could save at most the difference of the two.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.kit.timing import Sample
from tasks.runner.files.checkout import read_checksums

HASH, STAT = "read_checksums", "os.stat of each file"
_TEXT = "-- a comment as long as those in a migration of 3 KB\n" * 58


def time_checksums(home: Path, count: int, runs: int) -> dict[str, Sample]:
    """Time both ways over `count` files of 3 KB in turn, after a first round that brings them into memory."""
    folder = home / f"checksums_{count}"
    folder.mkdir()
    names = [f"{number:014}_file.sql" for number in range(count)]
    for name in names:
        (folder / name).write_text(_TEXT)
    ways: dict[str, Callable[[], object]] = {HASH: lambda: read_checksums(folder, names), STAT: lambda: _stat_all(folder, names)}
    rounds = [{name: _time(way) for name, way in ways.items()} for _ in range(runs + 1)][1:]
    return {name: Sample(tuple(seconds[name] for seconds in rounds)) for name in ways}


def _stat_all(folder: Path, names: list[str]) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        for name in names:
            os.stat(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _time(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start
