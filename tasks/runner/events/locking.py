"""The values and events of waiting for locks: what a forecast expected, what a run waited for, and when it does not queue."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events.registry import Event, event
from tasks.runner.events.values import Session


@dataclass(frozen=True, slots=True)
class StatementVerdict:
    """What a forecast that was shown before a run expected of a statement.

    `number` is that of the statement in its file, from 1; `verdict` is brief, blocks_writes, blocks_all or loses_rows; `low` and
    `high` are the range of the seconds for which others are kept out, None if that was not known.
    """

    version: str
    number: int
    verdict: str
    low: float | None = None
    high: float | None = None


@event("held_back")
@dataclass(frozen=True, slots=True)
class HeldBack(Event):
    """A transaction is not begun, so that no other session queues behind it, because others have locks that it would wait for.

    `line` is that of the statement that needs the lock; `relations` are what the locks are on, as far as that is known;
    `seconds_s` is how long the segment has been held back, of at most `patience_s`.
    """

    version: str
    line: int
    seconds_s: float
    patience_s: float
    relations: tuple[str, ...]
    blockers: tuple[Session, ...]
