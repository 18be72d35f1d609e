"""Retries of transactions: after which errors, how often, and after which pause."""

from __future__ import annotations

import random
from typing import NamedTuple

LOCK_TIMED_OUT = "55P03"
RETRIED_SQLSTATES = {LOCK_TIMED_OUT: "lock not available", "40P01": "deadlock", "40001": "serialization failure"}
"""The errors after which the same transaction may succeed: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class RetryPolicy(NamedTuple):
    """The limits of waiting: the lock_timeout, how often a transaction is attempted, and how long to wait for another run.

    `patience_ms` is how long a segment is held back in total, while other transactions have its locks; with 0, it never is.
    """

    lock_timeout_ms: int = 5000
    attempts: int = 10
    run_wait_ms: int = 30 * 60_000
    patience_ms: int = 10 * 60_000

    def may_retry(self, sqlstate: str | None, attempt: int) -> bool:
        """Return True if attempt number `attempt` (from 1) may be followed by another."""
        return sqlstate in RETRIED_SQLSTATES and attempt < self.attempts


def choose_pause(attempt: int, spread: float | None = None) -> float:
    """Return the seconds to pause after an attempt: exponential backoff from 0.1 to 5, with jitter."""
    factor = random.uniform(0.5, 1.5) if spread is None else spread
    return float(min(0.1 * 2 ** (attempt - 1), 5.0) * factor)
