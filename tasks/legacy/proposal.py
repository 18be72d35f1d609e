"""What becomes of each old file: its version, or why it is set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.legacy.reading.dates import FileDate
from tasks.legacy.reading.files import OldFile
from tasks.runner.files.versions import VERSION_PATTERN, next_timestamp

_TIMESTAMP_LENGTH = 14


@dataclass(frozen=True, slots=True)
class Placement:
    """What an old file becomes: the migration `version` or, if that is empty, superseded for a reason."""

    file: OldFile
    version: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The migrations folder and the placement of each old file, in the order in which they run."""

    folder: Path
    placements: tuple[Placement, ...]

    @property
    def renames(self) -> dict[str, str]:
        """Return the version of each old name that changes."""
        return {
            each.file.name.stem: each.version for each in self.placements if each.version and each.version != each.file.name.stem
        }

    @property
    def superseded(self) -> dict[str, str]:
        """Return the reason for each old name that is set aside."""
        return {each.file.name.stem: each.reason for each in self.placements if not each.version}


def propose_names(
    files: Iterable[OldFile],
    dates: Mapping[Path, FileDate],
    *,
    taken: Iterable[str] = (),
    given: Mapping[str, str] | None = None,
) -> dict[Path, str]:
    """Return a placement for each file in the chosen order, with a version after the one before it.

    A file older than the one before it gets the second after that. `taken` are versions that other files have, whose timestamps
    are skipped; `given` are earlier decisions: versions by old name. A version that is already in order is kept.
    """
    used = {version[:_TIMESTAMP_LENGTH] for version in taken}
    decided = given or {}
    versions: dict[Path, str] = {}
    newest: str | None = None
    for file in files:
        version = decided.get(file.name.stem, "")
        if not version and VERSION_PATTERN.fullmatch(file.name.stem) and (newest is None or file.name.timestamp > newest):
            version = file.name.stem
        if not version:
            timestamp = next_timestamp(dates[file.path].at, newest)
            while timestamp in used:
                timestamp = next_timestamp(dates[file.path].at, timestamp)
            version = f"{timestamp}_{file.name.description}"
        versions[file.path] = version
        newest = version[:_TIMESTAMP_LENGTH]
        used.add(newest)
    return versions
