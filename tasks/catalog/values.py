"""Schemas as immutable values: definitions by object, and the difference of two schemas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

COLUMN_ORDER = "column order"
"""The kind of the order of a table's columns: a separate difference, which is often acceptable."""

LOCAL_COLUMN, LOCAL_CONSTRAINT = "local column", "local constraint"
"""The kinds for what a table has itself although it also inherits it; they have no definition.

https://www.postgresql.org/docs/current/catalog-pg-attribute.html
"""

NAMED_NULL = "not null name"
"""The kind for a name of NOT NULL of a column, or of a domain, that the server would not choose."""

LOCAL_NULL = "local not null"
"""The kind for NOT NULL of a column that its table has itself although it also inherits it; it has no definition."""

PARAMETER_ORDER = "parameter order"
"""The kind for the storage parameters of a table, a view or a column, if they are not in the order of their names."""

DETAILS = frozenset({NAMED_NULL, LOCAL_NULL, PARAMETER_ORDER})
"""What pg_dump shows and no version before 18 has, or what has no effect: read into Catalog.derived, so never compared."""

DERIVED = "derived "
"""The beginning of the kind of what is read into Catalog.derived."""


class Key(NamedTuple):
    """The identity of an object of a schema.

    `name` is the name in SQL: with its schema, quoted if needed, and with the argument types of a routine. An object that belongs
    to another (a column, a constraint, a trigger) has the name of that object as its `parent`, and a name without it.
    """

    kind: str
    name: str
    parent: str = ""

    def __str__(self) -> str:
        """Return the name to print."""
        return f"{self.kind} {self.name} of {self.parent}" if self.parent else f"{self.kind} {self.name}"


class _Ordered(Mapping[Key, str]):
    """Objects in the order of their keys, which is made when it is first needed."""

    __slots__ = ("_objects", "_sorted")

    def __init__(self, objects: Mapping[Key, str]) -> None:
        self._objects: dict[Key, str] = dict(objects.unordered if isinstance(objects, _Ordered) else objects)
        self._sorted = False

    @property
    def unordered(self) -> Collection[tuple[Key, str]]:
        """Return the objects in any order."""
        return self._objects.items()

    def __getitem__(self, key: Key) -> str:
        return self._objects[key]

    def __repr__(self) -> str:
        return repr(self._sort())

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._sort())

    def items(self) -> ItemsView[Key, str]:
        return self._sort().items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._objects == (other._objects if isinstance(other, _Ordered) else dict(other))

    __hash__ = None  # type: ignore[assignment]

    def _sort(self) -> dict[Key, str]:
        if not self._sorted:
            self._objects = dict(sorted(self._objects.items(), key=lambda item: "\0".join(item[0])))
            self._sorted = True
        return self._objects


@dataclass(frozen=True)
class Catalog:
    """A schema: its objects with their definitions, which are equal in two databases exactly if the objects are."""

    objects: Mapping[Key, str] = field(default_factory=dict)
    server_version: int = 0
    derived: Mapping[Key, str] = field(default_factory=dict)
    """The indexes and constraints that tables have because their parents have them, and details (see DETAILS). They are not
    compared: they follow from the objects, except for names and orders, which do not matter."""

    def __post_init__(self) -> None:
        """Make the objects immutable, and put them in order."""
        for name in ("objects", "derived"):
            object.__setattr__(self, name, _Ordered(getattr(self, name)))

    def __eq__(self, other: object) -> bool:
        """Compare the objects only: a schema is the same on all versions of the server."""
        return isinstance(other, Catalog) and self.objects == other.objects

    def __hash__(self) -> int:
        """Return the hash of the objects."""
        return hash(self.fingerprint)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.objects)

    def of_kind(self, kind: str) -> Iterator[tuple[Key, str]]:
        """Return the objects of one kind, in order."""
        return iter(sorted((key, definition) for key, definition in self.list_unordered() if key.kind == kind))

    def list_unordered(self) -> Collection[tuple[Key, str]]:
        """Return the objects in any order: to sort those of a large schema takes as long as to make them."""
        return self.objects.unordered if isinstance(self.objects, _Ordered) else self.objects.items()

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 of all objects: equal for equal schemas."""
        return hashlib.sha256(json.dumps(_list_objects(self), ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Change:
    """An object that differs: `before` is None if it was added, `after` if it was removed."""

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
    """The changes from one schema to another; false if there are none."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        """Return True if anything differs."""
        return bool(self.changes)

    def without(self, kinds: Collection[str]) -> Difference:
        """Return the difference without the changes of some kinds."""
        return Difference(tuple(change for change in self.changes if change.key.kind not in kinds))

    def only(self, kinds: Collection[str]) -> Difference:
        """Return the changes of some kinds."""
        return Difference(tuple(change for change in self.changes if change.key.kind in kinds))


def _list_objects(catalog: Catalog) -> list[tuple[str, str, str, str]]:
    return [(*key, definition) for key, definition in catalog.objects.items()]
