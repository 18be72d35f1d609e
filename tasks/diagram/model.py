"""What a diagram shows, as values: tables, columns and foreign keys, each with what the pending migrations do to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

Mark = Literal["", "new", "changed", "dropped"]
"""What the pending migrations do; empty if they leave it as it is."""
MARKS: tuple[Mark, ...] = ("new", "changed", "dropped")

_PUBLIC = "public."


@dataclass(frozen=True, slots=True)
class DrawnColumn:
    """A column; `name` and `type` are SQL, `keys` are those of PK, FK and UK that apply."""

    name: str
    type: str
    keys: tuple[str, ...] = ()
    mark: Mark = ""
    was: str = ""
    """The type before the pending migrations, if they change it."""


@dataclass(frozen=True, slots=True)
class DrawnTable:
    """A table; `name` is SQL, with its schema."""

    name: str
    columns: tuple[DrawnColumn, ...] = ()
    mark: Mark = ""
    partitions: int = 0
    """How many partitions it has, which are not drawn themselves."""

    @property
    def label(self) -> str:
        """Return the name to show: without the schema public."""
        return shorten(self.name)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; `table` refers to `target`."""

    name: str
    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    optional: bool
    """Whether a row may refer to no row, because a column of the key can be null."""
    single: bool
    """Whether only one row can refer to a row, because the columns are unique."""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """The tables and foreign keys to draw, in the order of their names."""

    tables: tuple[DrawnTable, ...]
    keys: tuple[ForeignKey, ...] = ()

    def restrict(self, names: Collection[str]) -> Diagram:
        """Return the diagram of some tables, with the foreign keys between them."""
        tables = tuple(table for table in self.tables if table.name in names)
        return Diagram(tables, tuple(key for key in self.keys if key.table in names and key.target in names))

    @property
    def is_marked(self) -> bool:
        """Return True if the pending migrations change a table of the diagram."""
        return any(table.mark for table in self.tables)

    def restrict_to_changes(self) -> Diagram:
        """Return the diagram of the tables that the pending migrations change, and those that a foreign key connects with them.

        Of the latter, only the columns of keys are kept.
        """
        changed = {table.name for table in self.tables if table.mark}
        near = {name for key in self.keys for name in (key.table, key.target) if {key.table, key.target} & changed}
        kept = self.restrict(changed | near)
        tables = tuple(table if table.mark else keep_keys(table) for table in kept.tables)
        keys = tuple(key for key in kept.keys if {key.table, key.target} & changed)
        return Diagram(tables, keys)


def keep_keys(table: DrawnTable) -> DrawnTable:
    """Return a table with only the columns that are part of a key or marked."""
    return replace(table, columns=tuple(column for column in table.columns if column.mark or {"PK", "FK"} & set(column.keys)))


def shorten(name: str) -> str:
    """Return the name of a table or type without the schema public."""
    return name.removeprefix(_PUBLIC)
