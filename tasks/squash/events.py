"""The events of a squash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SquashPlanned:
    """The versions that become one; `text` is its up file, `down` its down file."""

    kind: ClassVar[str] = "squash_planned"
    version: str
    versions: tuple[str, ...]
    rows: int
    """How many rows the up file inserts."""
    text: str
    down: str


@dataclass(frozen=True, slots=True)
class SquashFinished:
    """The end of a squash; `applied` is True if it was done."""

    kind: ClassVar[str] = "squash_finished"
    version: str
    count: int
    applied: bool
