"""How long statements waited for locks and had them, measured from what the watcher sees, for the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.runner.events import StatementLocks

if TYPE_CHECKING:
    from tasks.runner.database.activity import Awaited, Observation
    from tasks.runner.events import StatementVerdict

_MOST = 500
"""How many statements one row of the log describes: those that waited longest, or had their locks longest."""
_MOST_READ = 10_000


@dataclass(slots=True)
class _Timing:
    """The times of one statement in one attempt."""

    number: int
    line: int
    attempt: int
    started: float
    waited_s: float = 0.0
    held_s: float | None = None
    sqlstate: str = ""
    is_open: bool = True


@dataclass(slots=True)
class WaitClock:
    """The time that one statement waits for locks, from the looks of the watcher: nothing else is sent to the server for it.

    A wait ends between the last look that saw it and the next one; a wait that no look saw counts as none.
    """

    total_s: float = 0.0
    _since: float | None = None
    _seen_at: float = 0.0

    def take(self, seen: Observation) -> None:
        """Take what a look saw."""
        if seen.at <= self._seen_at:
            return
        awaited: Awaited | None = seen.awaited
        since = None if awaited is None else seen.at - awaited.seconds
        if self._since is not None and (since is None or since > self._seen_at):
            self.total_s += (self._seen_at + (seen.at if since is None else since)) / 2 - self._since
            self._since = None
        if since is not None and self._since is None:
            self._since = since
        self._seen_at = seen.at

    def end(self, at: float) -> float:
        """Return the seconds of all waits of a statement that has ended."""
        return self.total_s + (0.0 if self._since is None else at - self._since)


@dataclass(slots=True)
class LockTimes:
    """The times of the statements of a run that are not in the log yet, by version.

    `open_wait_s` is how long the statements of the open transaction waited for locks.
    """

    forecast: tuple[StatementVerdict, ...] = ()
    open_wait_s: float = 0.0
    _timings: dict[str, list[_Timing]] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)

    def begin(self, version: str, number: int, line: int) -> None:
        """Begin to time a statement."""
        attempt = self._attempts.get(version, 0) + 1
        timings = self._timings.setdefault(version, [])
        if len(timings) > 4 * _MOST:
            timings[:] = _keep_longest(timings)
        timings.append(_Timing(number, line, attempt, time.monotonic()))

    def end_statement(self, version: str, waited_s: float, sqlstate: str = "") -> None:
        """Record how long the current statement waited, and the error if one has ended it."""
        timing = self._timings[version][-1]
        timing.waited_s, timing.sqlstate = waited_s, sqlstate
        self.open_wait_s += waited_s

    def end_transaction(self, *, failed: bool = False) -> None:
        """Record that the statements so far have no locks any more."""
        now, self.open_wait_s = time.monotonic(), 0.0
        for version, timings in self._timings.items():
            ended = [timing for timing in timings if timing.is_open]
            for timing in ended:
                timing.is_open = False
                # A statement that was sent ahead may have begun to wait before its answer was waited for.
                timing.held_s = 0.0 if timing.sqlstate else max(now - timing.started - timing.waited_s, 0.0)
            if failed and ended:
                self._attempts[version] = self._attempts.get(version, 0) + 1

    def write(self, version: str, *, commits: bool) -> str:
        """Return the times of a version as the log keeps them, each once; empty if there are none.

        `commits`: the transaction of its open statements ends with the row. Their locks are released a moment later, by the
        COMMIT itself.
        """
        if commits:
            self.end_transaction()
        timings = self._timings.pop(version, [])
        self._attempts.pop(version, None)
        kept = sorted(timings, key=_measure)[:_MOST]
        rows = [
            {
                "number": timing.number,
                "line": timing.line,
                "attempt": timing.attempt,
                "waited_ms": round(timing.waited_s * 1000),
                "held_ms": None if timing.held_s is None else round(timing.held_s * 1000),
                **({"sqlstate": timing.sqlstate} if timing.sqlstate else {}),
            }
            for timing in sorted(kept, key=lambda timing: (timing.attempt, timing.number))
        ]
        forecast = [
            {"number": each.number, "verdict": each.verdict, "low": each.low, "high": each.high}
            for each in self.forecast
            if each.version == version
        ]
        found = {name: value for name, value in (("statements", rows), ("forecast", forecast)) if value}
        return json.dumps(found, separators=(",", ":")) if rows else ""


def _measure(timing: _Timing) -> float:
    return -timing.waited_s - (timing.held_s or 0.0)


def _keep_longest(timings: list[_Timing]) -> list[_Timing]:
    """Return the timings that may still be among the longest: of the open ones, those that began first will be."""
    opened = sorted((each for each in timings if each.is_open and not each.sqlstate), key=lambda each: each.started)
    waited = sorted((each for each in opened[_MOST:] if each.waited_s), key=_measure)
    ended = sorted((each for each in timings if not each.is_open or each.sqlstate), key=_measure)
    return [*ended[:_MOST], *opened[:_MOST], *waited[:_MOST]]


def read_lock_times(text: str) -> tuple[StatementLocks, ...]:
    """Return what a row of the log describes; nothing for a text that `LockTimes.write` does not return."""
    try:
        found = json.loads(text)
        verdicts = {int(each["number"]): each for each in _list(found, "forecast")}
        return tuple(_read_row(row, verdicts.get(int(row["number"]), {})) for row in _list(found, "statements"))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return ()


def _list(found: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    rows = found.get(name, [])
    return rows[:_MOST_READ] if isinstance(rows, list) else []


def _read_row(row: Mapping[str, Any], verdict: Mapping[str, Any]) -> StatementLocks:
    held = row.get("held_ms")
    low, high = (None if verdict.get(name) is None else float(verdict[name]) for name in ("low", "high"))
    return StatementLocks(
        int(row["number"]),
        int(row["line"]),
        int(row["attempt"]),
        int(row["waited_ms"]),
        None if held is None else int(held),
        str(row.get("sqlstate", ""))[:5],
        str(verdict.get("verdict", ""))[:20],
        low,
        high,
    )
