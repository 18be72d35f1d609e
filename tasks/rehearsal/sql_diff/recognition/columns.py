"""Which of the columns that a table lost may be one that was added.

Two errors are possible. A rename that is not recognised is written as DROP and ADD; db.new refuses that as a loss, and names the
flag --rename. A question about what is no rename stops a script until --drop answers it. So a column is asked about if its type
fits and one more sign does: the place in the table, the name, or that no other pair of columns has this type.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.altering import is_assignable
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.recognition.likeness import ALIKE, VERY_ALIKE, find_frequent_words, measure_likeness
from tasks.rehearsal.sql_diff.shapes import Column, parse_column

Fit = Literal["same", "near", "convertible", "none"]
"""How the type of one column becomes that of another: not at all, within its family, by a cast, or never."""

Sides = tuple[Sequence["ColumnCandidate"], Sequence["ColumnCandidate"]]
"""The columns that a table lost, and those that were added to it."""

_FAMILIES = (
    re.compile(r"smallint|integer|bigint|numeric\b.*"),
    re.compile(r"real|double precision|numeric\b.*"),
    re.compile(r"text|character varying.*|character\b.*|(\w+\.)?citext"),
    re.compile(r"date|timestamp.*"),
    re.compile(r"time\b.*|interval.*"),
    re.compile(r"jsonb?"),
)
"""Types that store the same kind of value, so that one column may have had the one and then the other."""


@dataclass(frozen=True, slots=True)
class ColumnPlace:
    """Where a column is among those that both schemas have: after which and before which, and its number there."""

    after: str
    number: int
    before: str
    number_back: int


@dataclass(frozen=True, slots=True)
class ColumnCandidate:
    """A column that was lost or added."""

    key: Key
    column: Column
    default: str | None
    comment: str | None
    place: ColumnPlace | None

    @property
    def attributes(self) -> tuple[object, ...]:
        """Return what else than the type two columns may have in common."""
        return self.column.required, self.column.identity, self.default, self.comment


def match_columns(
    table: str, lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]
) -> dict[Key, list[Key]]:
    """Return for each lost column of a table the added ones that it may be, the likeliest first; generated ones are none."""
    orders = [list_columns(catalog, table) for catalog in catalogs]
    old = _read(lost, catalogs[0], _place(orders[0], orders[1]))
    new = _read(added, catalogs[1], _place(orders[1], orders[0]))
    frequent = find_frequent_words(name for name in orders[0] if name in set(orders[1]))
    matches: dict[Key, list[Key]] = {}
    for each in old:
        found = ((_rate(each, other, (old, new), frequent, catalogs), other.key) for other in new)
        likely = sorted((pair for pair in found if pair[0] > 0), key=lambda pair: -pair[0])
        matches[each.key] = [key for _, key in likely]
    return matches


def list_columns(catalog: Catalog, table: str) -> list[str]:
    """Return the columns of a table in their order."""
    return split_list(catalog.objects.get(Key(COLUMN_ORDER, table), ""))


def compare_types(old: Column, new: Column, catalogs: tuple[Catalog, Catalog]) -> Fit:
    """Return how the type of one column becomes that of another."""
    if (old.type, old.collation) == (new.type, new.collation):
        return "same"
    if any(family.fullmatch(old.type) and family.fullmatch(new.type) for family in _FAMILIES):
        return "near"
    if old.type.partition("(")[0] == new.type.partition("(")[0]:
        return "near"
    own = any(
        Key(kind, column.type.removesuffix("[]")) in catalog.objects
        for kind in ("type", "domain")
        for column, catalog in zip((old, new), catalogs, strict=True)
    )
    return "convertible" if own or is_assignable(old.type, new.type) else "none"


def _read(keys: Collection[Key], catalog: Catalog, places: Mapping[str, ColumnPlace]) -> list[ColumnCandidate]:
    return list(_read_each(keys, catalog, places))


def _read_each(keys: Collection[Key], catalog: Catalog, places: Mapping[str, ColumnPlace]) -> Iterator[ColumnCandidate]:
    for key in keys:
        column, default = parse_column(catalog.objects[key])
        if column.expression is None:
            text = catalog.objects.get(Key("comment", f"column {key.name}", key.parent), "")
            comment = text.partition(" IS ")[2] or None
            yield ColumnCandidate(key, column, default, comment, places.get(key.name))


def _place(order: Sequence[str], other: Sequence[str]) -> dict[str, ColumnPlace]:
    """Return the places of the columns that are only in the first of two orders."""
    kept, places = set(other), dict[str, ColumnPlace]()
    gap: list[str] = []
    after = ""
    for name in (*order, ""):
        if name in kept or not name:
            places |= {each: ColumnPlace(after, n, name, len(gap) - n) for n, each in enumerate(gap)}
            gap, after = [], name
        else:
            gap.append(name)
    return places


def _is_same_place(one: ColumnPlace | None, other: ColumnPlace | None) -> bool:
    """Return True for equal places, counted from the column before or after; the end of a table is where any column is added."""
    if one is None or other is None:
        return False
    if (one.after, one.number) == (other.after, other.number):
        return True
    return bool(one.before) and (one.before, one.number_back) == (other.before, other.number_back)


def _rate(
    old: ColumnCandidate,
    new: ColumnCandidate,
    sides: Sides,
    frequent: frozenset[str],
    catalogs: tuple[Catalog, Catalog],
) -> float:
    """Return how likely one column is the other, and 0 for those that are not asked about."""
    fit = compare_types(old.column, new.column, catalogs)
    placed = _is_same_place(old.place, new.place)
    likeness = measure_likeness(old.key.name, new.key.name, frequent)
    signs = {
        "same": placed or likeness >= ALIKE or _is_only_pair(old, new, sides),
        "near": placed or likeness >= ALIKE,
        "convertible": likeness >= VERY_ALIKE or (placed and likeness >= ALIKE),
        "none": False,
    }
    return 1 + likeness + placed if signs[fit] else 0.0


def _is_only_pair(old: ColumnCandidate, new: ColumnCandidate, sides: Sides) -> bool:
    """Return True for columns that are equal but for their names, if no other of their type was lost or added."""
    alone = all(sum(each.column.type == old.column.type for each in side) == 1 for side in sides)
    return alone and old.attributes == new.attributes
