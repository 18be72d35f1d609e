"""What a durable commit costs on the disk that the server writes to."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

_PAGE = b"\0" * 8192
_WRITES = 200


def describe_disk(folder: Path) -> str:
    """Name the device and the file system of a folder, as far as the machine tells."""
    best, named = "", "an unknown file system"
    mounts = Path("/proc/mounts")
    for line in mounts.read_text().splitlines() if mounts.exists() else ():
        device, point, kind, *_ = line.split()
        inside = point == "/" or f"{folder.resolve()}/".startswith(f"{point}/")
        if inside and len(point) >= len(best):
            best, named = point, f"{device} ({kind})"
    return named


def time_sync(folder: Path) -> float:
    """Return the median seconds in which a page reaches the disk for good."""
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
