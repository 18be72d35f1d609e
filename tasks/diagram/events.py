"""The event of a diagram that was written."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import Event, event


@event("diagram_written")
@dataclass(frozen=True, slots=True)
class DiagramWritten(Event):
    """A diagram that was written to a file, with how many tables and foreign keys it has."""

    path: str
    tables: int
    foreign_keys: int
    pending: tuple[str, ...] = ()
    """The pending migrations whose changes are marked."""
    new: int = 0
    changed: int = 0
    dropped: int = 0
    unchecked: tuple[str, ...] = ()
    """The statements that were left out of the rehearsal, so that their effect is not drawn."""
