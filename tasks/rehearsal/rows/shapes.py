"""The tables of a schema as needed to fill them: columns, types, and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_COUNTING = ("nextval(", "gen_random_uuid(", "uuid_generate", "uuidv7(", "uuidv4(")
"""Defaults that differ from row to row."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `parts` are the types and modifiers that it consists of: base, element, subtype, fields."""

    oid: int
    name: str
    kind: str
    """As in pg_type.typtype, and "a" for an array: https://www.postgresql.org/docs/current/catalog-pg-type.html"""
    parts: tuple[tuple[int, int], ...] = ()
    labels: tuple[str, ...] = ()
    not_null: bool = False
    checks: tuple[tuple[str, str], ...] = ()
    """Name and definition of a domain's constraints."""


@dataclass(frozen=True, slots=True)
class ColumnToFill:
    """A column; `generated` is True if only the server may write it."""

    number: int
    name: str
    type: Type
    modifier: int
    not_null: bool
    default: str
    generated: bool
    checks: tuple[tuple[str, str], ...] = ()
    """Name and definition of the constraints of its domain, and of the domains that it is based on."""

    @property
    def counts(self) -> bool:
        """Return True if the default is different for each row."""
        return self.default.startswith(_COUNTING)


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint on some columns, or the bounds of the partitions of a table, without a name."""

    name: str
    columns: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: pairs of its column and the referenced one."""

    target: int
    columns: tuple[tuple[int, int], ...]
    deferrable: bool


@dataclass(frozen=True, slots=True)
class TableToFill:
    """A table; `name` is quoted, with its schema."""

    oid: int
    name: str
    columns: Mapping[int, ColumnToFill]
    checks: tuple[Check, ...] = ()
    uniques: tuple[frozenset[int], ...] = ()
    references: tuple[Reference, ...] = ()

    def find_check(self, name: str) -> Check | None:
        """Return a constraint by its name, or None; a constraint of a domain has the columns of that domain."""
        own = next((check for check in self.checks if check.name == name), None)
        if own is not None:
            return own
        texts = {column.number: text for column in self.columns.values() for known, text in column.checks if known == name}
        return Check(name, tuple(texts), " ".join(texts.values())) if texts else None

    def is_optional(self, reference: Reference) -> bool:
        """Return True if a row may have no reference: with MATCH SIMPLE, one NULL is enough."""
        return any(not self.columns[own].not_null for own, _ in reference.columns)


@dataclass(frozen=True, slots=True)
class Shapes:
    """All tables that can be filled, and all types, by oid."""

    tables: Mapping[int, TableToFill] = field(default_factory=dict)
    types: Mapping[int, Type] = field(default_factory=dict)
