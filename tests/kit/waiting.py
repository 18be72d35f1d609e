"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT_S = 240
"""How long anything may take before its test fails: only what hangs reaches it, also on a machine with fifty times the load."""


def wait_until(condition: Callable[[], T], timeout: float = LIMIT_S, what: str = "the condition") -> T:
    """Call `condition` until its result is true, and return the result; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"timeout of {timeout} s: {what}")
        time.sleep(0.01)
    return result
