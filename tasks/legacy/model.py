"""What becomes of the old files of a clean-up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.legacy.proposal import Placement, Proposal
from tasks.legacy.reading.dates import FileDate
from tasks.legacy.reading.files import OldFile
from tasks.legacy.verdicts import Classification
from tasks.rehearsal.lacks import Lack


@dataclass(frozen=True, slots=True)
class Judged:
    """The classification of an old file; `version` is empty if it gets none."""

    file: OldFile
    date: FileDate
    verdict: Classification
    version: str = ""
    order: str = ""
    down: str = ""
    """The proposed down of a file without one."""
    loses: str = ""
    """The tables and columns whose rows that down does not restore."""
    records: tuple[str, ...] = ()
    """The statements that record the file in a ledger, which no run accepts."""
    note: str = ""
    """What is done with the text of the file."""

    @property
    def stops(self) -> bool:
        """Return True if nothing can be applied with this file."""
        return self.verdict.stops or bool(self.records)

    @property
    def faults(self) -> tuple[str, ...]:
        """Return what must be fixed in the file before the proposal can be applied."""
        return (*((self.verdict.reason,) if self.verdict.stops and not self.verdict.waits else ()), *self.records)


@dataclass(frozen=True, slots=True)
class LackingDown:
    """A version for which no down was found, and why."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What becomes of all old files, in the order in which they run."""

    folder: Path
    files: tuple[Judged, ...]
    orders: int = 0
    no_downs: tuple[LackingDown, ...] = ()
    """The versions for which no down was found, if downs were to be written."""
    lacking: tuple[Lack, ...] = ()
    """What the scratch server lacks, so that statements were not checked."""
    folders: tuple[str, ...] = ()
    """What to name with --folder so that the files are read which create what these need; empty if none are known."""

    @property
    def proposal(self) -> Proposal:
        """Return the proposal to apply."""
        return Proposal(self.folder, tuple(Placement(each.file, each.version, each.verdict.reason) for each in self.files))
