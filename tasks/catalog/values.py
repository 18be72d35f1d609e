"""Schemas as immutable values: objects by identity with their definitions, and the difference of two. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

COLUMN_ORDER = "column order"
"""The kind that says in which order a table's columns stand: a difference of its own, which most people may live with."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Identify an object of a schema.

    `name` is written as SQL would name the object: with its schema, quoted where it must be, with argument types for a routine.
    An object that belongs to another (a column, a constraint, a trigger) has that one's name as its `parent`, and a name without
    it.
    """

    kind: str
    name: str
    parent: str = ""

    def __str__(self) -> str:
        """Name the object for a person."""
        return f"{self.kind} {self.name} of {self.parent}" if self.parent else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Catalog:
    """Hold a schema: what there is, each with a definition that two databases share exactly if the objects are alike."""

    objects: Mapping[Key, str] = field(default_factory=dict)
    server_version: int = 0

    def __post_init__(self) -> None:
        """Sort the objects and make them unchangeable."""
        object.__setattr__(self, "objects", MappingProxyType(dict(sorted(self.objects.items(), key=_identify))))

    def __eq__(self, other: object) -> bool:
        """Compare the objects alone: the same schema on two versions of the server is the same schema."""
        return isinstance(other, Catalog) and self.objects == other.objects

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash(self.fingerprint)

    def __len__(self) -> int:
        """Count the objects."""
        return len(self.objects)

    def of_kind(self, kind: str) -> Iterator[tuple[Key, str]]:
        """Give the objects of one kind, in order."""
        return ((key, definition) for key, definition in self.objects.items() if key.kind == kind)

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 of all objects: equal for equal schemas."""
        return hashlib.sha256(json.dumps(_list_objects(self), ensure_ascii=True).encode()).hexdigest()

    def write(self) -> dict[str, Any]:
        """Give the catalog as JSON."""
        return {"server_version": self.server_version, "objects": _list_objects(self)}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Catalog:
        """Make a catalog of the JSON that `write` gave; raises KeyError, TypeError or ValueError for anything else."""
        objects = {Key(kind, name, parent): definition for kind, name, parent, definition in data["objects"]}
        return cls(objects, int(data["server_version"]))


@dataclass(frozen=True, slots=True)
class Change:
    """Describe one object that differs: `before` is None where it was added, `after` where it was removed."""

    key: Key
    before: str | None
    after: str | None

    @property
    def word(self) -> str:
        """Return added, removed or changed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """List what leads from one schema to another; empty, and false, for equal ones."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.changes)

    def without(self, kinds: Collection[str]) -> Difference:
        """Leave out the changes of some kinds."""
        return Difference(tuple(change for change in self.changes if change.key.kind not in kinds))

    def only(self, kinds: Collection[str]) -> Difference:
        """Keep the changes of some kinds."""
        return Difference(tuple(change for change in self.changes if change.key.kind in kinds))

    def reverse(self) -> Difference:
        """Give the way back."""
        return Difference(tuple(Change(change.key, change.after, change.before) for change in self.changes))


def compare(before: Catalog, after: Catalog) -> Difference:
    """List what was added, removed and changed between two schemas, by kind and name."""
    keys = sorted(before.objects.keys() | after.objects.keys())
    pairs = ((key, before.objects.get(key), after.objects.get(key)) for key in keys)
    return Difference(tuple(Change(key, old, new) for key, old, new in pairs if old != new))


def _identify(item: tuple[Key, str]) -> tuple[str, str, str]:
    """Return what keys are sorted by: tuples compare far faster than they do."""
    key = item[0]
    return key.kind, key.name, key.parent


def _list_objects(catalog: Catalog) -> list[tuple[str, str, str, str]]:
    return [(key.kind, key.name, key.parent, definition) for key, definition in catalog.objects.items()]
