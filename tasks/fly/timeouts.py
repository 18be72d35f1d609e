"""How long to wait for flyctl and for a machine before something counts as broken; a slow network may need more."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.runner.errors import UsageError

_SECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
_HEARTBEATS = 6


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Hold the longest waits, in seconds."""

    call_s: float = 90.0
    """For one call of flyctl; some of its own waits last four minutes."""
    connect_s: float = 60.0
    """For a machine's ssh: after the machine says started, that needs some 5 to 30 seconds."""
    silence_s: float = 30.0
    """For a word of the run over there, its heartbeats included; after that the connection counts as frozen."""
    follow_s: float = 600.0
    """For a way back to a run whose connection broke."""

    @property
    def heartbeat_s(self) -> int:
        """How often a run over there shall say that it lives."""
        return max(1, int(self.silence_s / _HEARTBEATS))


_NAMES = {
    "call_s": "FLY_CALL_TIMEOUT",
    "connect_s": "FLY_CONNECT_TIMEOUT",
    "silence_s": "FLY_SILENCE_TIMEOUT",
    "follow_s": "FLY_FOLLOW_TIMEOUT",
}


def read_patience(environ: Mapping[str, str] = os.environ) -> Timeouts:
    """Read the waits that the process's environment names; raises UsageError that lists what is no number of seconds."""
    given = {field: environ.get(name, "").strip() for field, name in _NAMES.items()}
    wrong = [
        f"{_NAMES[field]}={text}: write a number of seconds"
        for field, text in given.items()
        if text and (not _SECONDS.fullmatch(text) or not float(text))
    ]
    if wrong:
        raise UsageError("\n".join(wrong), hint=f"For example {_NAMES['call_s']}=120", state="Nothing was changed.")
    return Timeouts(**{field: float(text) for field, text in given.items() if text})
