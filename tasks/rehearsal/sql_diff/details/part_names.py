"""The names of the indexes that partitions have because their parents have them.

The server chooses them, unless the index of the partition was there before that of its parent.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import unquote_identifier
from tasks.rehearsal.sql_diff.details.blocks import name_indexes, order_names
from tasks.rehearsal.sql_diff.inheritance.lineage import Family
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import find_index, name_index, parse_index

_INDEXES = frozenset({"index", "constraint"})
_RELATIONS = frozenset({"table", "foreign table", "view", "materialized view", "sequence"})


def change_part_names(
    before: Catalog, after: Catalog, family: Family, dropped: Collection[Key], objects: Mapping[Key, str]
) -> tuple[list[str], list[Key]]:
    """Return the statements that name the indexes of partitions, and the indexes whose names no statement changes.

    It concerns the partitions and the indexes of their parents that stay; `objects` are those before.
    """
    old, new = list_parts(before), list_parts(after)
    changes = {}
    for part in sorted(old.keys() & new.keys()):
        parent, table = part
        names = name_index(old[part]), name_index(new[part])
        if names[0] != names[1] and family.kept.get(table) and _stays(parent, dropped, objects, before):
            changes[part] = names
    if not changes:
        return [], []
    ordered, left = order_names(changes, _list_taken(before))
    rows = [(parent, table, unquote_identifier(last_part(name))) for (parent, table), name in ordered]
    return ([name_indexes(rows)] if rows else []), [new[part] for part in left]


def _stays(name: str, dropped: Collection[Key], objects: Mapping[Key, str], before: Catalog) -> bool:
    """Return True if an index is not dropped, nor the one to which it is attached itself."""
    owner = find_index(name, objects)
    if owner is not None:
        return owner not in dropped
    above = find_index(name, before.derived)
    parent = parse_index(before.derived[above]).parent if above else None
    return parent is not None and _stays(parent, dropped, objects, before)


def list_parts(catalog: Catalog) -> dict[tuple[str, str], Key]:
    """Return the indexes and constraints that partitions have from an index of their parent, by that index and the partition."""
    attached = ((key, parse_index(text).parent) for key, text in catalog.derived.items() if key.kind in _INDEXES)
    return {(parent, key.parent): key for key, parent in attached if parent}


def _list_taken(catalog: Catalog) -> set[str]:
    keys = (*catalog.objects, *catalog.derived)
    return {name_index(key) if key.kind in _INDEXES else key.name for key in keys if key.kind in _INDEXES | _RELATIONS}
