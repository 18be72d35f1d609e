"""Durations and times."""

from __future__ import annotations

import time

_MOMENT = len("2025-01-01T00:00:00")


def count_ms(start: float) -> int:
    """Return the milliseconds since a value of time.monotonic()."""
    return round((time.monotonic() - start) * 1000)


def show_moment(moment: str) -> str:
    """Return an ISO 8601 time in UTC as every message shows it, to the second."""
    return f"{moment[:_MOMENT].replace('T', ' ')} UTC" if moment else "an unknown time"
