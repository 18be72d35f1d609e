"""Which migrations of a checkout are older than the newest one of the base branch, and the versions that they need instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.runner.events import Event, event
from tasks.runner.files.versions import VERSION_PATTERN, next_timestamp

_TIMESTAMP = slice(0, 14)
_UP = "up/"


@dataclass(frozen=True, slots=True)
class Redating:
    """A new migration, the version that orders it after those of the base branch, and whether its own does not."""

    version: str
    proposed: str
    late: bool


@event("order_checked")
@dataclass(frozen=True, slots=True)
class OrderChecked(Event):
    """The result of comparing the new migrations of a checkout with the newest one of a base branch.

    `late` are those that are not newer, `commands` rename them and every new one after them.
    """

    base: str
    commit: str
    newest: str
    new: tuple[str, ...]
    late: tuple[str, ...]
    commands: tuple[str, ...]


def list_versions(names: Iterable[str]) -> frozenset[str]:
    """Return the versions of the up files among the names in a migrations folder, whose up files may lie in up/ or in it."""
    ups = list(names)
    if any(name.startswith((_UP, "down/")) for name in ups):
        ups = [name.removeprefix(_UP) for name in ups if name.startswith(_UP)]
    stems = (name.removesuffix(".sql") for name in ups if name.endswith(".sql"))
    return frozenset(stem for stem in stems if VERSION_PATTERN.fullmatch(stem))


def redate(new: Collection[str], base: Collection[str], *, now: datetime) -> Sequence[Redating]:
    """Return the new versions that must be renamed to be in order: the late ones, and each new one after the first of them.

    Their order is kept, because a later one may depend on an earlier one. Timestamps decide, since equal ones are not ordered.
    """
    newest = max(base, default="")
    late = [version for version in sorted(new) if version[_TIMESTAMP] <= newest[_TIMESTAMP]]
    moved: list[Redating] = []
    last = max((*base, *new), default="")
    for version in sorted(new) if late else ():
        timestamp = next_timestamp(now, last)
        last = f"{timestamp}{version[_TIMESTAMP.stop :]}"
        moved.append(Redating(version, last, version in late))
    return moved
