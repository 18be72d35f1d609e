"""Durations."""

from __future__ import annotations

import time


def count_ms(start: float) -> int:
    """Return the milliseconds since a value of time.monotonic()."""
    return round((time.monotonic() - start) * 1000)
