"""Versions that became one: a database that has all of them has that one, and one that has only some can go no further. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.runner.events import Finding


@dataclass(frozen=True, slots=True)
class Squash:
    """List the versions that became one, and the checksum of that one's file as it was proved."""

    versions: tuple[str, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class Squashed:
    """Say which names mean a squash, and of which squashes only a part is there: what is present, and what is absent."""

    wholes: Mapping[str, str]
    partial: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def resolve_squashes(names: Collection[str], squashed: Mapping[str, Squash]) -> Squashed:
    """Find out which squashes the recorded names amount to; a squash may itself be part of a later one."""
    present = set(names)
    wholes: dict[str, str] = {}
    partial: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for version, squash in squashed.items():
        parts = tuple(name for name in squash.versions if name in present)
        absent = tuple(name for name in squash.versions if name not in present)
        if parts and absent and version not in present:
            partial[version] = (parts, absent)
        elif parts:
            present.add(version)
            wholes = {name: version if whole in parts else whole for name, whole in wholes.items()}
            wholes |= dict.fromkeys(parts, version)
    return Squashed(wholes, partial)


def find_partial(squashed: Squashed) -> list[Finding]:
    """Refuse a database that has only some of the versions that became one: the one is more than it lacks."""
    return [
        Finding(
            "partial",
            version,
            f"stands for {len(present) + len(absent)} migrations, of which this database has only {len(present)}; "
            f"it lacks {', '.join(absent)}",
            refuses=True,
            hint="Check out the revision before the squash, run inv db.migrate from there, then come back to this one.",
        )
        for version, (present, absent) in squashed.partial.items()
    ]


def read_squashes(given: Mapping[str, object], problems: list[str]) -> dict[str, Squash]:
    """Read what renames.toml says of squashes; what cannot be used is added to `problems`."""
    squashes: dict[str, Squash] = {}
    for version, table in given.items():
        parts = table.get("versions") if isinstance(table, dict) else None
        checksum = table.get("checksum") if isinstance(table, dict) else None
        if not isinstance(checksum, str) or not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            problems.append(f"{version}: [squashed] holds versions, a list of names, and checksum, for each version")
        else:
            squashes[version] = Squash(tuple(parts), checksum)
    return squashes
