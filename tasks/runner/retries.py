"""When a transaction is tried again, and how long to pause before."""

from __future__ import annotations

import random
from dataclasses import dataclass

RETRIED_SQLSTATES = {"55P03": "lock not available", "40P01": "deadlock"}
"""The errors after which the same transaction may go through: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bound the waiting for locks: each wait, and how often a transaction is tried."""

    lock_timeout_ms: int = 5000
    attempts: int = 10

    def may_retry(self, sqlstate: str | None, attempt: int) -> bool:
        """Tell whether attempt number `attempt` (from 1) may be followed by another."""
        return sqlstate in RETRIED_SQLSTATES and attempt < self.attempts


def choose_pause(attempt: int, spread: float | None = None) -> float:
    """Give the seconds to pause after an attempt: doubling from 0.1 to 5, spread by half so that runners do not step in time."""
    factor = random.uniform(0.5, 1.5) if spread is None else spread
    return float(min(0.1 * 2 ** (attempt - 1), 5.0) * factor)
