"""How long each statement is expected to run in an environment, and the disk that it needs meanwhile.

The tables that a pending file works on are filled on scratch with rows that are shaped by the live statistics; the file runs
there once without rows and once with them, and the difference is extrapolated to the live sizes. Estimates are ranges.
"""

from tasks.forecast.durations.estimating import BUDGET_S, estimate

__all__ = ["BUDGET_S", "estimate"]
