"""The order of the statements of a forecast: the worst first."""

from __future__ import annotations

import math

from tasks.forecast.events import StatementForecast

VERDICTS = ("loses_rows", "blocks_all", "blocks_writes", "brief", "harmless")
"""The verdicts, the worst first."""


def rank(event: StatementForecast) -> tuple[int, float, str, int]:
    """Return the key that sorts the worst statement first: by verdict, then by the longest time, an unknown one first."""
    blocked = event.blocked_seconds
    worst = VERDICTS.index(event.verdict) if event.verdict in VERDICTS else -1
    return worst, -math.inf if blocked is None else -blocked[1], event.version, event.number
