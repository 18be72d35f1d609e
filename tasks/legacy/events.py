"""The events of a clean-up of old files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class OldFileJudged:
    """Say of an old file what it becomes and why.

    `verdict` is works, data only, superseded, no change, needs or fails. `version` is empty for a file that goes aside, or that
    stops the cleaning up. `date` is UTC, and `source` says from what it is known: name, git, header or modification time.
    """

    path: str
    version: str
    date: str
    source: str
    verdict: str
    reason: str
    order: str = ""
    """Why it stands where it does, where no number says so."""
    notes: tuple[str, ...] = ()
    stops: bool = False
    """Whether a person has to mend the file before anything can be done."""


@dataclass(frozen=True, slots=True)
class CleanupPlanned:
    """Show what is to become of old files, in the order in which they are to run."""

    kind: ClassVar[str] = "cleanup_planned"
    folder: str
    files: tuple[OldFileJudged, ...]
    orders: int
    """How many orders were tried on scratch; 0 where everything was decided before."""
    server_version: int
    without: tuple[str, ...] = ()
    downs: tuple[str, ...] = ()
    """The versions for which a down is proposed."""


@dataclass(frozen=True, slots=True)
class FileChanged:
    """Tell of one thing that was done with a file."""

    kind: ClassVar[str] = "file_changed"
    what: str
    path: str


@dataclass(frozen=True, slots=True)
class CleanupFinished:
    """Sum up: how many files become migrations, go aside, and stop the cleaning up; `applied` says whether it was done."""

    kind: ClassVar[str] = "cleanup_finished"
    migrations: int
    aside: int
    blocked: int
    applied: bool
