"""Decide what an installation writes and removes; nothing here reads or writes a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.installation.names import InstalledNames

MANIFEST = "installed.sha256"
"""The file in the package that lists what was installed, in the format of sha256sum."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """The content of a file, and whether it can be executed."""

    data: bytes
    executable: bool = False

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class InstallationPlan:
    """The paths to write and to remove, those that were edited since the last installation, and those of other files."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    edited: tuple[str, ...]
    taken: tuple[str, ...]


def plan_installation(
    files: Mapping[str, InstalledFile], present: Mapping[str, str], recorded: Mapping[str, frozenset[str]]
) -> InstallationPlan:
    """Return what to do, given the new files, the digests of those that exist, and the recorded ones.

    A path has several recorded digests after an installation that was interrupted.
    """
    differing = {path for path, file in files.items() if present.get(path) not in (None, file.digest)}
    edited = {path for path in differing if path in recorded and present[path] not in recorded[path]}
    obsolete = {path for path in recorded if path in present and path not in files}
    return InstallationPlan(
        written=tuple(sorted(path for path, file in files.items() if present.get(path) != file.digest)),
        removed=tuple(sorted(obsolete)),
        edited=tuple(sorted(edited | {path for path in obsolete if present[path] not in recorded[path]})),
        taken=tuple(sorted(differing - recorded.keys())),
    )


def write_manifest(files: Mapping[str, InstalledFile], recorded: Mapping[str, frozenset[str]], version: str) -> str:
    """Return the text of the manifest; with `recorded`, of one that also lists what was there before."""
    lines = {(path, file.digest) for path, file in files.items()}
    lines |= {(path, digest) for path, digests in recorded.items() for digest in digests}
    head = f"# Version {version}, installed by scripts/install-into.sh. Do not edit these files: an upgrade replaces them.\n"
    return head + "".join(f"{digest}  {path}\n" for path, digest in sorted(lines))


def read_manifest(text: str, names: InstalledNames) -> dict[str, frozenset[str]]:
    """Return the recorded digests of each path; lines that no installation of these names writes are ignored."""
    found: dict[str, frozenset[str]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None and names.owns(match[2]):
            found[match[2]] = found.get(match[2], frozenset()) | {match[1]}
    return found
