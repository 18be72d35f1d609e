"""Squashed versions: a database with all of them has the squash applied, and one with only some is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.runner.events import Finding


@dataclass(frozen=True, slots=True)
class Squash:
    """The versions that a squash replaced, and the checksum of its file as it was proved."""

    versions: tuple[str, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class Squashed:
    """The names that belong to a complete squash, and the squashes of which only a part is recorded: present and absent."""

    complete: Mapping[str, str]
    partial: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def resolve_squashes(names: Collection[str], squashed: Mapping[str, Squash]) -> Squashed:
    """Return the squashes that recorded names belong to; a squash may itself be part of a later one."""
    present = set(names)
    complete: dict[str, str] = {}
    partial: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for version, squash in squashed.items():
        parts = tuple(name for name in squash.versions if name in present)
        absent = tuple(name for name in squash.versions if name not in present)
        if parts and absent and version not in present:
            partial[version] = (parts, absent)
        elif parts:
            present.add(version)
            complete = {name: version if current in parts else current for name, current in complete.items()}
            complete |= dict.fromkeys(parts, version)
    return Squashed(complete, partial)


def find_partial(squashed: Squashed) -> list[Finding]:
    """Return findings that refuse a database with only some of the versions of a squash: it needs less than the squash."""
    return [
        Finding(
            "partial",
            version,
            f"replaces {len(present) + len(absent)} migrations, of which this database has only {len(present)}; "
            f"it lacks {', '.join(absent)}",
            refuses=True,
            hint="Check out the revision before the squash, run inv db.migrate, then check out this revision again.",
        )
        for version, (present, absent) in squashed.partial.items()
    ]


def read_squashes(given: Mapping[str, object], problems: list[str]) -> dict[str, Squash]:
    """Return the squashes of renames.toml; add what cannot be used to `problems`."""
    squashes: dict[str, Squash] = {}
    for version, table in given.items():
        parts = table.get("versions") if isinstance(table, dict) else None
        checksum = table.get("checksum") if isinstance(table, dict) else None
        if not isinstance(checksum, str) or not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            problems.append(f"{version}: each table of [squashed] needs versions, a list of names, and checksum")
        else:
            squashes[version] = Squash(tuple(parts), checksum)
    return squashes
