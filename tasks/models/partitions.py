"""The columns of partitions and of tables that inherit: they follow those of their parents."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER, LOCAL_COLUMN, Catalog, Key
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table, split_order

_INHERITED = ("type", "collation", "required", "expression", "storage")


def follow_parents(objects: dict[Key, str], before: Catalog) -> None:
    """Change the columns of all children that are not compared as the statements for their parents will.

    https://www.postgresql.org/docs/current/ddl-inherit.html
    """
    children = _find_children(before)
    pending = sorted(children.keys() - {child for found in children.values() for child in found})
    while pending:
        parent = pending.pop()
        for child in children.get(parent, ()):
            if Key("table", child) in objects:
                _follow(objects, before, parent, child)
            pending.append(child)


def _find_children(catalog: Catalog) -> dict[str, list[str]]:
    children: dict[str, list[str]] = defaultdict(list)
    for key, text in sorted(catalog.list_unordered()):
        if key.kind == "table" and (table := parse_table(text)):
            for parent in table.list_parents():
                children[parent].append(key.name)
    return children


def _follow(objects: dict[Key, str], before: Catalog, parent: str, child: str) -> None:
    """Apply the changes of one parent to one child, unless the child was changed itself."""
    names = split_order(before.objects.get(Key(COLUMN_ORDER, parent), ""))
    now = split_order(objects.get(Key(COLUMN_ORDER, parent), ""))
    order = split_order(objects.get(Key(COLUMN_ORDER, child), ""))
    for name in names:
        key, local = Key("column", name, child), Key(LOCAL_COLUMN, name, child)
        if name not in now and local not in objects and name in order:
            objects.pop(key, None)
            order.remove(name)
        elif name in now and key in objects and objects[key] == before.objects.get(key):
            objects[key] = _change(
                before.objects[Key("column", name, parent)], objects[Key("column", name, parent)], objects[key]
            )
    for name in now:
        if name not in names and name not in order:
            column, default = parse_column(objects[Key("column", name, parent)])
            objects[Key("column", name, child)] = replace(column, identity=None, options=None).write(default)
            order.append(name)
    if order:
        objects[Key(COLUMN_ORDER, child)] = ", ".join(order)


def _change(was: str, now: str, own: str) -> str:
    """Return the definition of a child's column after that of its parent changed."""
    if was == now:
        return own
    (old, old_default), (new, new_default), (column, default) = parse_column(was), parse_column(now), parse_column(own)
    changed = {name: getattr(new, name) for name in _INHERITED if getattr(old, name) != getattr(new, name)}
    return replace(column, **changed).write(new_default if old_default != new_default else default)
