"""The tables of a schema as who fills them needs to know them: columns, types, and what their rows must satisfy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_COUNTING = ("nextval(", "gen_random_uuid(", "uuid_generate", "uuidv7(", "uuidv4(")
"""Defaults that differ from row to row."""


@dataclass(frozen=True, slots=True)
class Type:
    """Describe a type; `parts` are the types and modifiers of what it is made of: base, element, subtype, fields."""

    oid: int
    name: str
    kind: str
    """As in pg_type.typtype, and a for an array: https://www.postgresql.org/docs/current/catalog-pg-type.html"""
    parts: tuple[tuple[int, int], ...] = ()
    labels: tuple[str, ...] = ()
    not_null: bool = False
    checks: tuple[tuple[str, str], ...] = ()
    """Name and definition of a domain's constraints."""


@dataclass(frozen=True, slots=True)
class ColumnToFill:
    """Describe a column; `generated` says that only the server may write it."""

    number: int
    name: str
    type: Type
    modifier: int
    not_null: bool
    default: str
    generated: bool
    checks: tuple[tuple[str, str], ...] = ()
    """Name and definition of the constraints of its domain, and of the domains that is made of."""

    @property
    def counts(self) -> bool:
        """Tell whether the server gives each row another value by itself."""
        return self.default.startswith(_COUNTING)


@dataclass(frozen=True, slots=True)
class Check:
    """Describe a condition on some columns; the way to a partition is one too, without a name."""

    name: str
    columns: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Describe a foreign key: pairs of its column and the referenced one."""

    target: int
    columns: tuple[tuple[int, int], ...]
    deferrable: bool


@dataclass(frozen=True, slots=True)
class TableToFill:
    """Describe a table; `name` is quoted as SQL needs it, with its schema."""

    oid: int
    name: str
    columns: Mapping[int, ColumnToFill]
    checks: tuple[Check, ...] = ()
    uniques: tuple[frozenset[int], ...] = ()
    references: tuple[Reference, ...] = ()

    def find_check(self, name: str) -> Check | None:
        """Find a condition by its name, a domain's by the columns that it holds for."""
        own = next((check for check in self.checks if check.name == name), None)
        if own is not None:
            return own
        held = {column.number: text for column in self.columns.values() for known, text in column.checks if known == name}
        return Check(name, tuple(held), " ".join(held.values())) if held else None

    def is_optional(self, reference: Reference) -> bool:
        """Tell whether a row may do without this foreign key: MATCH SIMPLE is content with one NULL."""
        return any(not self.columns[own].not_null for own, _ in reference.columns)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Hold all tables that can be filled, and the types by their oid."""

    tables: Mapping[int, TableToFill] = field(default_factory=dict)
    types: Mapping[int, Type] = field(default_factory=dict)
