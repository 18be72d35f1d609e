"""The events of a clean-up of old files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class OldFileJudged:
    """What an old file becomes, and why.

    `verdict` is works, data only, superseded, no change, needs or fails. `version` is empty for a file that goes aside, or that
    stops the cleaning up. `date` is UTC, and `source` says where it comes from: name, git, header or modification time.
    """

    path: str
    version: str
    date: str
    source: str
    verdict: str
    reason: str
    order: str = ""
    """Why it has this place in the order, if no number decides it."""
    notes: tuple[str, ...] = ()
    stops: bool = False
    """Whether the file must be fixed before the proposal can be applied."""


@dataclass(frozen=True, slots=True)
class CleanupPlanned:
    """What becomes of old files, in the order in which they run."""

    kind: ClassVar[str] = "cleanup_planned"
    folder: str
    files: tuple[OldFileJudged, ...]
    orders: int
    """How many orders were tried on scratch; 0 if everything was decided before."""
    server_version: int
    without: tuple[str, ...] = ()
    downs: tuple[str, ...] = ()
    """The versions with a proposed down."""


@dataclass(frozen=True, slots=True)
class FileChanged:
    """A change that was made to a file."""

    kind: ClassVar[str] = "file_changed"
    what: str
    path: str


@dataclass(frozen=True, slots=True)
class CleanupFinished:
    """How many files become migrations, are set aside, and must be fixed; `applied` is True if the proposal was applied."""

    kind: ClassVar[str] = "cleanup_finished"
    migrations: int
    aside: int
    blocked: int
    applied: bool
