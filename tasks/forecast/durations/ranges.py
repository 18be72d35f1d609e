"""From a measurement on scratch to a range for an environment.

The low end is the fast case: rows and pages as on scratch, everything in memory. The high end is the slow case: pages that are
read from the disk, WAL that is flushed, and other sessions that use the processors. The factors are calibrated by
`python -m benchmarks forecast`, which counts in how many cases the range contains the measured time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tasks.forecast.durations.workloads import Workload

_MEBIBYTE = 1 << 20
_CATALOG_S, _LOCK_S = 0.2, 0.003
_FAST = 0.45
_SLOW = {"catalog": 2.5, "size": 2.5, "rows": 3.5}
"""The factors of the fast and of the slow case on what was measured. Changed rows depend most on the disk."""
_SLACK_S = 0.15
"""What each statement may take longer on a busy server."""
_CACHED_BYTES = 1 << 30
"""How much of a table is assumed to be in the memory of the server or its operating system."""
_COLD_BYTES_PER_S = 200 * _MEBIBYTE
_READ_BYTES_PER_S = 2048 * _MEBIBYTE, 60 * _MEBIBYTE
_WRITTEN_BYTES_PER_S = 250 * _MEBIBYTE, 12 * _MEBIBYTE
"""How fast tables are read and written, in the fast and in the slow case."""
_REMOVED_BYTES_PER_S = 4096 * _MEBIBYTE
"""How fast files are removed: https://www.postgresql.org/docs/current/storage-file-layout.html (segments of 1 GB)"""
_SAMPLE_PAGES = 30_000
"""What ANALYZE reads at most with the default default_statistics_target: 300 rows times the target."""
_COLD_PAGE_S = 0.0001
_STEEP = 0.2
"""The exponent by which the build of a superlinear index may grow beyond its measured rate."""
_MANY, _CLEARLY_S = 500, 0.1
_SPILL_BYTES = 64 * _MEBIBYTE
"""The default of maintenance_work_mem, beyond which sorts use the disk."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The seconds of a statement on scratch, without rows and with rows, and what else was measured with rows.

    `tuples` are the rows that it read and changed, as far as that is known.
    """

    empty_s: float
    filled_s: float
    grown_bytes: int = 0
    tuples: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """How much larger the tables of a statement are in the environment than they were on scratch, by rows and by bytes."""

    rows: float = 1.0
    bytes: float = 1.0
    live_bytes: int = 0
    live_rows: float = 0

    @property
    def low(self) -> float:
        """Return the smaller of the two."""
        return min(self.rows, self.bytes)

    @property
    def high(self) -> float:
        """Return the larger of the two."""
        return max(self.rows, self.bytes)


def estimate_catalog(locks: int, removed_bytes: int = 0, measured: Measured | None = None) -> tuple[float, float]:
    """Return the range of a statement that changes only the catalog, and removes the files of what it drops or empties."""
    slow = _CATALOG_S + _LOCK_S * locks + removed_bytes / _REMOVED_BYTES_PER_S
    return 0.0, round(max(slow, 5 * max(measured.empty_s, measured.filled_s)) if measured else slow, 4)


def estimate_range(measured: Measured, scale: Scale, work: Workload) -> tuple[float, float]:
    """Return the range of a statement whose duration depends on rows."""
    fixed, rest = min(measured.empty_s, measured.filled_s), max(measured.filled_s - measured.empty_s, 0.05 * measured.filled_s)
    slow = _SLOW[work.dependence]
    if work.samples:
        pages = min(scale.live_bytes / 8192, _SAMPLE_PAGES)
        return _round(_FAST * measured.filled_s, slow * measured.filled_s + pages * _COLD_PAGE_S + _SLACK_S)
    low = _FAST * (fixed + rest * scale.low)
    high = fixed + rest * scale.high * _grow(scale, work)
    cold = max(scale.live_bytes - _CACHED_BYTES, 0) / _COLD_BYTES_PER_S
    return _round(low * (0.1 if work.skips else 1), slow * high + cold + _SLACK_S)


def estimate_from_size(work: Workload, live_bytes: int, *, writes: bool) -> tuple[float, float] | None:
    """Return the range of what could not be measured, from the size alone; None if it depends on more than that."""
    if work.dependence != "size" or work.superlinear:
        return None
    fast, slow = (_WRITTEN_BYTES_PER_S if writes else _READ_BYTES_PER_S) if not work.samples else _READ_BYTES_PER_S
    return _round(live_bytes / fast, live_bytes / slow + _CATALOG_S)


def grows(measured: Measured) -> bool:
    """Return True if a statement took longer because of the rows: it used many of them, or the time leaves no other reason."""
    longer = measured.filled_s - measured.empty_s
    return measured.tuples >= _MANY or (longer > _CLEARLY_S and longer > 2 * measured.empty_s)


def estimate_disk(measured: Measured, scale: Scale, rewritten_bytes: int) -> int | None:
    """Return the disk that a statement needs while it runs, in bytes: what it rewrites, and the sort of a large index."""
    grown = int(max(measured.grown_bytes, 0) * scale.high)
    needed = max(grown, rewritten_bytes)
    return needed + (grown if grown > _SPILL_BYTES and not rewritten_bytes else 0) or None


def _grow(scale: Scale, work: Workload) -> float:
    """Return by how much the rate may be worse for the live number of rows."""
    if scale.high <= 1:
        return 1.0
    if work.superlinear:
        return float(scale.high**_STEEP)
    before = max(scale.live_rows / scale.high, 2.0)
    return max(1.0, math.log(max(scale.live_rows, 2.0)) / math.log(before))


def _round(low: float, high: float) -> tuple[float, float]:
    return max(round(low, 4), 0.0001), round(high, 4)
