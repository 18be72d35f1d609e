"""The events of a clean-up of old files."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import Event, event


@dataclass(frozen=True, slots=True)
class OldFileJudged:
    """What an old file becomes, and why.

    `verdict` is works, data only, superseded, no change, repeatable, needs or fails. `version` is empty for a file that goes
    aside, or that stops the clean-up. `date` is UTC, and `source` is where it comes from: name, git, header or modification
    time.
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


@event("cleanup_planned")
@dataclass(frozen=True, slots=True)
class CleanupPlanned(Event):
    """What becomes of old files, in the order in which they run."""

    folder: str
    files: tuple[OldFileJudged, ...]
    orders: int
    """How many orders were tried on scratch; 0 if everything was decided before."""
    server_version: int
    without: tuple[str, ...] = ()
    downs: tuple[str, ...] = ()
    """The versions with a proposed down."""
    no_downs: tuple[str, ...] = ()
    """The versions for which downs were to be proposed, and none was found."""


@event("file_changed")
@dataclass(frozen=True, slots=True)
class FileChanged(Event):
    """A change that was made to a file."""

    what: str
    path: str


@event("cleanup_finished")
@dataclass(frozen=True, slots=True)
class CleanupFinished(Event):
    """How many files become migrations, are set aside, and must be fixed; `applied` is True if the proposal was applied."""

    migrations: int
    aside: int
    blocked: int
    applied: bool
    unread: tuple[str, ...] = ()
    """The sub-folders whose SQL was not read."""
