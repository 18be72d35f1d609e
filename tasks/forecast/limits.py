"""The time that a forecast may take, and a request to stop it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from tasks.runner.errors import RunnerError
from tasks.runner.signals import Stop


class TimeUsedUpError(RunnerError):
    """The time for a forecast is used up."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The time of time.monotonic() until which something may go on, and the Stop that ends it before."""

    until: float = math.inf
    stop: Stop | None = None

    def check(self) -> None:
        """Raise Interruption if a stop was requested, TimeUsedUpError if the time is used up."""
        if self.stop:
            self.stop.check()
        if time.monotonic() > self.until:
            raise TimeUsedUpError("it would take too long")

    @property
    def left_s(self) -> float:
        """Return the seconds that are left, infinite without a limit."""
        return max(self.until - time.monotonic(), 0.0)
