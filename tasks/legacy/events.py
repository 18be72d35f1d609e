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


@dataclass(frozen=True, slots=True)
class FileReference:
    """A line that refers to a file that moves, or to its folder.

    `how` is path, name (without a folder, so it may be another file), or folder (mounted or read as a whole).
    """

    path: str
    line: int
    refers_to: str
    how: str


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
    references: tuple[FileReference, ...] = ()
    """The lines of the checkout that refer to files that move."""
    lacking: tuple[str, ...] = ()
    """What the scratch server lacks, so that statements were not checked."""
    ways: str = ""
    """The ways to check them nevertheless."""
    no_down_reasons: tuple[str, ...] = ()
    """Why there is no down for each of `no_downs`."""
    loses: tuple[str, ...] = ()
    """The versions whose proposed down does not restore all rows, each with the tables and columns."""


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
    next_command: str = ""
    """The command to run next; empty if files must be fixed first, or everything is applied."""
