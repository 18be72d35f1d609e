"""Tables that no statement changes in place: they are dropped with what depends on them, and created again without their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.lineage import Lineage, read_lineage
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED, expand, parse_column, parse_table

_ROWS = frozenset({"table", "foreign table", "column"})


def find_recreated(before: Catalog, after: Catalog) -> frozenset[str]:
    """Return the tables in both schemas that become partitioned or plain, or get another partition key or access method."""
    pairs = ((key.name, parse_table(text), parse_table(after.objects.get(key, ""))) for key, text in before.of_kind("table"))
    differing = {
        name
        for name, old, new in pairs
        if old is not None and new is not None and Key("table", name) in after.objects
        if old.fixed != new.fixed and old.type is None and new.type is None
    }
    return frozenset(differing - _list_relatives(read_lineage(before)) - _list_relatives(read_lineage(after)))


def clear(before: Catalog, after: Catalog) -> Catalog | None:
    """Return a schema without the tables that are created again, their partitions, and what depends on them.

    None if there are no such tables, or if the rows of another table depend on them.
    """
    tables = find_recreated(before, after)
    if not tables:
        return None
    lineage = read_lineage(before)
    gone = tables.union(*(lineage.list_descendants(table) for table in tables))
    objects = expand(before)
    removed = _find_dependents(objects, gone, lineage)
    if any(key.kind in _ROWS and (key.parent or key.name) not in gone for key in removed):
        return None
    kept = {
        key: _forget_default(text) if Key(DEFAULT, key.name, key.parent) in removed else text
        for key, text in before.objects.items()
        if key not in removed and key.parent not in gone and not (key.kind == COLUMN_ORDER and key.name in gone)
    }
    return replace(before, objects=kept, derived={key: text for key, text in before.derived.items() if key.parent not in gone})


def _find_dependents(objects: Mapping[Key, str], tables: Iterable[str], lineage: Lineage) -> set[Key]:
    """Return tables and all that depends on them; a sequence that belongs to a column is dropped with it."""
    schema = Schema(objects, lineage)
    waiting = [Key("table", table) for table in tables]
    found: set[Key] = set()
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += schema.needed_by.get(key, ())
            if key.kind == OWNED:
                waiting.append(Key("sequence", key.name))
    return found


def _forget_default(definition: str) -> str:
    return parse_column(definition)[0].write()


def _list_relatives(lineage: Lineage) -> set[str]:
    """Return the tables that inherit other than as partitions, and those from which they do."""
    children = lineage.parents.keys() - lineage.partitions.keys()
    return {*children, *(parent for child in children for parent in lineage.parents[child])}
