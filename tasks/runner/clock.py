"""Durations and times."""

from __future__ import annotations

import time
from datetime import datetime

_MOMENT = len("2025-01-01T00:00:00")


def count_ms(start: float) -> int:
    """Return the milliseconds since a value of time.monotonic()."""
    return round((time.monotonic() - start) * 1000)


def read_time(moment: str) -> datetime | None:
    """Return an ISO 8601 time; None for any other text, which a machine or another tool may have written."""
    try:
        return datetime.fromisoformat(moment)
    except ValueError:
        return None


def show_moment(moment: str) -> str:
    """Return an ISO 8601 time in UTC as every message shows it, to the second."""
    return f"{moment[:_MOMENT].replace('T', ' ')} UTC" if moment else "an unknown time"
