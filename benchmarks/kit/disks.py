"""The cost of a durable commit on the disk that the server writes to."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

_PAGE = b"\0" * 8192
_WRITES = 200


def describe_disk(folder: Path) -> str:
    """Return the device and the file system of a folder, where /proc/mounts is available."""
    best, named = "", "an unknown file system"
    mounts = Path("/proc/mounts")
    for line in mounts.read_text().splitlines() if mounts.exists() else ():
        device, point, kind, *_ = line.split()
        inside = point == "/" or f"{folder.resolve()}/".startswith(f"{point}/")
        if inside and len(point) >= len(best):
            best, named = point, f"{device} ({kind})"
    return named


def time_sync(folder: Path) -> float:
    """Return the median seconds of writing a page and calling fsync."""
    path, times = folder / "sync", []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for number in range(_WRITES):
            start = time.perf_counter()
            os.pwrite(handle, _PAGE, number * len(_PAGE))
            os.fsync(handle)
            times.append(time.perf_counter() - start)
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(times)
