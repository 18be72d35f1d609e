"""The moments of a timeline, read from the log, and how they are grouped so that their marks do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tasks.runner.clock import read_time
from tasks.runner.events import HistoryRead, HistoryRow

MomentKind = Literal["applied", "adopted", "rolled back", "failed"]
KINDS: tuple[MomentKind, ...] = ("applied", "adopted", "rolled back", "failed")
_FINISHED: dict[str, MomentKind] = {
    "migrate": "applied",
    "rollback": "rolled back",
    "adopt": "adopted",
    "load": "adopted",
    "mark": "adopted",
}
"""The actions of the log that change which migrations are applied. Others, such as seed, are not in the timeline."""
_SHORTEST_S = 3600.0
_FIRST_YEAR, _LAST_YEAR = 1970, 2999
"""A time beyond these was not written by this tool, and cannot be computed with."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry of the log: what happened to which version, and when."""

    kind: MomentKind
    at: datetime
    row: HistoryRow


@dataclass(frozen=True, slots=True)
class Group:
    """The moments of one kind in one slot of the timeline, oldest first."""

    slot: int
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a timeline shows, divided into slots of the same length."""

    start: datetime
    seconds: float
    slots: int

    def find_slot(self, at: datetime) -> int:
        """Return the slot of a point in time."""
        return min(self.slots - 1, int((at - self.start).total_seconds() / self.seconds * self.slots))


def list_moments(history: HistoryRead) -> tuple[Moment, ...]:
    """Return the moments of a log, oldest first."""
    return tuple(moment for row in reversed(history.rows) if (moment := _read_moment(row)) is not None)


def make_span(moments: Iterable[Moment], slots: int) -> Span | None:
    """Return the time from the first to the last moment; None without moments."""
    times = [moment.at for moment in moments]
    if not times:
        return None
    return Span(min(times), max((max(times) - min(times)).total_seconds(), _SHORTEST_S), slots)


def group_moments(moments: Sequence[Moment], span: Span) -> list[Group]:
    """Return the moments of one kind, with all that are in the same slot as one group."""
    slots: dict[int, list[Moment]] = {}
    for moment in moments:
        slots.setdefault(span.find_slot(moment.at), []).append(moment)
    return [Group(slot, tuple(found)) for slot, found in sorted(slots.items())]


def _read_moment(row: HistoryRow) -> Moment | None:
    """Return the moment of a row of the log; None if it does not end an attempt at a migration, or if its time is not one."""
    kind: MomentKind | None = "failed" if row.outcome == "failed" else None
    if row.action in _FINISHED and row.outcome == "finished":
        kind = _FINISHED[row.action]
    if kind is None or row.action not in _FINISHED or not row.version:
        return None
    at = read_time(row.at)
    if at is None or not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        return None
    return Moment(kind, at if at.tzinfo else at.replace(tzinfo=UTC), row)
