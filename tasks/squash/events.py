"""The events of a squash."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import Event, event


@event("squash_planned")
@dataclass(frozen=True, slots=True)
class SquashPlanned(Event):
    """The versions that become one; `text` is its up file, `down` its down file, both without secrets."""

    version: str
    versions: tuple[str, ...]
    rows: int
    """How many rows the up file inserts."""
    text: str
    down: str
    varying: tuple[str, ...] = ()
    """The columns and objects whose values differ between replays, and are constants in the up file."""
    resumed: bool = False
    """An earlier run wrote the up file and was interrupted; nothing is replayed again."""


@event("squash_finished")
@dataclass(frozen=True, slots=True)
class SquashFinished(Event):
    """The end of a squash; `applied` is True if it was done."""

    version: str
    count: int
    applied: bool
    resumed: bool = False
