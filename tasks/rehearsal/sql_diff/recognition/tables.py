"""Which of the tables and schemas that are gone may be one that was added: by the share of equal columns, or tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.recognition.columns import list_columns
from tasks.rehearsal.sql_diff.recognition.likeness import ALIKE, measure_likeness
from tasks.rehearsal.sql_diff.renames import find_schema
from tasks.rehearsal.sql_diff.shapes import Table, parse_column, parse_table

_EQUAL = 2 / 3
"""The share of equal columns, in both tables, from which two tables may be the same: half of all their columns."""
_EQUAL_OF_ALIKE = 0.5
"""The same for tables with names that are alike."""
_LIGHT = 0.25
"""The weight of a column that many tables have, such as id and created_at: it hardly distinguishes a table."""
_OFTEN = 2
"""The other tables with an equal column from which on it has this weight."""
_BOOKKEEPING = frozenset(
    ("id", "created_at", "updated_at", "deleted_at", "created_on", "updated_on", "created", "updated", "created_by", "updated_by")
)
_OTHER_TYPE, _OTHER_NAME = 0.5, 0.75
"""How equal two columns are that differ in type only, or in the name if it is alike."""


@dataclass(frozen=True, slots=True)
class TableCandidate:
    """A table that was lost or added, with the types and the weights of its columns."""

    key: Key
    shape: Table | None
    types: Mapping[str, str]
    weights: Mapping[str, float]


def find_tables(lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]) -> dict[Key, list[Key]]:
    """Return for each lost table the added ones that it may be, the likeliest first."""
    if not lost or not added:
        return {}
    common = _count_columns(catalogs)
    old, new = ([_read(key, catalog, common) for key in keys] for keys, catalog in zip((lost, added), catalogs, strict=True))
    matches = {}
    for each in old:
        found = ((_rate(each, other), other.key) for other in new)
        likely = sorted((pair for pair in found if pair[0] > 0), key=lambda pair: -pair[0])
        best = likely[0][0] if likely else 0
        # Tables with one of these names: all partitions of a table have the same columns.
        matches[each.key] = [key for rate, key in likely if best < 1 + ALIKE or rate >= 1 + ALIKE]
    return matches


def find_schemas(lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]) -> dict[Key, list[Key]]:
    """Return for each lost schema the added ones that have most of its tables."""
    old, new = (_list_tables(keys, catalog) for keys, catalog in zip((lost, added), catalogs, strict=True))
    return {
        key: [other for other, names in new.items() if 2 * len(names & tables) >= _EQUAL * (len(names) + len(tables))]
        for key, tables in old.items()
        if tables
    }


def _rate(old: TableCandidate, new: TableCandidate) -> float:
    """Return how likely one table is the other, and 0 for those that are not asked about."""
    if old.shape is None or new.shape is None or old.shape.fixed != new.shape.fixed:
        return 0.0
    if old.shape.bound and new.shape.bound and old.shape.bound != new.shape.bound:
        return 0.0
    likeness = measure_likeness(old.key.name, new.key.name)
    least = _EQUAL_OF_ALIKE if likeness >= ALIKE else _EQUAL
    share = _compare(old, new, least)
    return 1 + likeness + share if share >= least else 0.0


def _compare(old: TableCandidate, new: TableCandidate, least: float) -> float:
    """Return the share of the columns that are equal, by weight; 0 if it is certainly below the least one."""
    total = sum(old.weights.values()) + sum(new.weights.values())
    both = [name for name in old.types if name in new.types]
    same = sum(old.weights[name] * (1 if old.types[name] == new.types[name] else _OTHER_TYPE) for name in both)
    gone = [name for name in old.types if name not in new.types]
    if not total or 2 * (same + _OTHER_NAME * sum(old.weights[name] for name in gone)) < least * total:
        return 0.0
    renamed = [name for name in new.types if name not in old.types]
    for name in gone:
        pairs = (other for other in renamed if new.types[other] == old.types[name])
        found = next((other for other in pairs if measure_likeness(name, other) >= ALIKE), None)
        if found is not None:
            renamed.remove(found)
            same += old.weights[name] * _OTHER_NAME
    return 2 * same / total


def _read(key: Key, catalog: Catalog, common: Mapping[tuple[str, str], int]) -> TableCandidate:
    columns = ((name, catalog.objects.get(Key("column", name, key.name), "")) for name in list_columns(catalog, key.name))
    types = {name: parse_column(definition)[0].type for name, definition in columns}
    light = {name for name in types if name in _BOOKKEEPING or common.get((name, types[name]), 0) >= _OFTEN}
    return TableCandidate(
        key, parse_table(catalog.objects[key]), types, {name: _LIGHT if name in light else 1.0 for name in types}
    )


def _count_columns(catalogs: tuple[Catalog, Catalog]) -> Counter[tuple[str, str]]:
    """Return how many of the tables that both schemas have contain a column of a name and type."""
    both = {key.name for key, _ in catalogs[0].of_kind("table") if key in catalogs[1].objects}
    columns = ((key, definition) for key, definition in catalogs[0].of_kind("column") if key.parent in both)
    return Counter((key.name, parse_column(definition)[0].type) for key, definition in columns)


def _list_tables(schemas: Collection[Key], catalog: Catalog) -> dict[Key, set[str]]:
    tables = [key.name for key, _ in catalog.of_kind("table")]
    return {key: {last_part(name) for name in tables if find_schema(name) == key.name} for key in schemas}
