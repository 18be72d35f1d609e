"""Tables that no statement changes in place: they are dropped with what depends on them, and created again without their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.altering import alter_object
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.inheritance.lineage import Lineage, read_lineage, relate
from tasks.rehearsal.sql_diff.names import list_names, strip_arguments
from tasks.rehearsal.sql_diff.recreation.carrying import TYPES
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED, expand, parse_column, parse_table

ROWS = frozenset({"table", "foreign table", "column"})


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


def find_rewritten(before: Catalog, after: Catalog) -> frozenset[str]:
    """Return these tables, those whose partition key gets another type, and those that only inherit what they have themselves."""
    found = find_recreated(before, after) | _find_keys(before, after) | _find_marked(before, after)
    lineage = read_lineage(before)
    return found - {
        child for table in found for child in lineage.list_descendants(table) if Key("table", child) not in after.objects
    }


def _find_keys(before: Catalog, after: Catalog) -> set[str]:
    """Return the uppermost tables above those whose partition keys have columns of another type, or what is replaced.

    That is the type of a column, or a function.
    """
    replaced = {
        strip_arguments(key.name)
        for key, text in before.objects.items()
        if key.kind in TYPES | {"function"} and (new := after.objects.get(key, text)) != text
        if alter_object(key, text, new, newest=False) is None
    }
    shapes = ((key.name, parse_table(text)) for key, text in before.of_kind("table"))
    keys = {name: list_names(shape.partitioned) for name, shape in shapes if shape and shape.partitioned and not shape.type}
    lineage = read_lineage(before)
    found = {[name, *lineage.list_ancestors(name)][-1] for name, names in keys.items() if names & replaced}
    for column, text in before.of_kind("column"):
        if column.name in keys.get(column.parent, ()) and (column in after.objects):
            was, now = parse_column(text)[0], parse_column(after.objects[column])[0]
            differs = (was.type, was.collation) != (now.type, now.collation)
            if differs or replaced & list_names(f"{was.type} {was.collation or ''}"):
                found.add([column.parent, *lineage.list_ancestors(column.parent)][-1])
    return {table for table in found if Key("table", table) in after.objects}


def _find_marked(before: Catalog, after: Catalog) -> set[str]:
    """Return the tables without children that have columns or checks of their own which they should only inherit."""
    lineages = read_lineage(before), read_lineage(after)
    if not any(lineage.parents.keys() - lineage.partitions.keys() for lineage in lineages):
        return set()
    marked = {mark.parent for mark in relate(before, after).unmarked}
    return {table for table in marked if not any(list(lineage.list_descendants(table)) for lineage in lineages)}


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
    removed = find_dependents(objects, gone, lineage)
    if any(key.kind in ROWS and (key.parent or key.name) not in gone for key in removed):
        return None
    kept = {
        key: forget_default(text) if Key(DEFAULT, key.name, key.parent) in removed else text
        for key, text in before.objects.items()
        if key not in removed and key.parent not in gone and not (key.kind == COLUMN_ORDER and key.name in gone)
    }
    return replace(before, objects=kept, derived={key: text for key, text in before.derived.items() if key.parent not in gone})


def find_dependents(objects: Mapping[Key, str], tables: Iterable[str], lineage: Lineage) -> set[Key]:
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


def forget_default(definition: str) -> str:
    """Return the definition of a column without its default."""
    return parse_column(definition)[0].write()


def _list_relatives(lineage: Lineage) -> set[str]:
    """Return the tables that inherit other than as partitions, and those from which they do."""
    children = lineage.parents.keys() - lineage.partitions.keys()
    return {*children, *(parent for child in children for parent in lineage.parents[child])}
