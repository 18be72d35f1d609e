"""New partitions that have only what their parents have, so that PARTITION OF makes them.

https://www.postgresql.org/docs/current/sql-createtable.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table

_PARTS = frozenset({"column", "column settings", "constraint", "index"})


def find_alike(catalog: Catalog, parents: Mapping[str, str]) -> frozenset[str]:
    """Return those of the partitions, each with its parent, whose columns, defaults and constraints are the parent's.

    They may have checks of their own.
    """
    parts: dict[str, dict[Key, str]] = defaultdict(dict)
    for key, definition in catalog.objects.items():
        if key.kind in _PARTS:
            parts[key.parent][key] = definition
    return frozenset(table for table, parent in parents.items() if _is_alike(table, parent, catalog, parts))


def _is_alike(table: str, parent: str, catalog: Catalog, parts: Mapping[str, Mapping[Key, str]]) -> bool:
    orders = [catalog.objects.get(Key(COLUMN_ORDER, name)) for name in (table, parent)]
    shapes = [parse_table(catalog.objects.get(Key("table", name), "")) for name in (table, parent)]
    if orders[0] != orders[1] or shapes[0] is None or shapes[1] is None:
        return False
    if shapes[1].method not in {None, shapes[0].method} or shapes[1].tablespace not in {None, shapes[0].tablespace}:
        # A partition that does not name its own gets those of the parent.
        return False
    own, above = (parts.get(name, {}) for name in (table, parent))
    checks = {key.name for key in own if key.kind == "constraint"}
    columns = [{key.name: _read(text) for key, text in each.items() if key.kind == "column"} for each in (own, above)]
    return (
        columns[0] == columns[1]
        and all(key.kind == "column" or (key.kind == "constraint" and text.startswith("CHECK ")) for key, text in own.items())
        and not any(
            key.kind == "column settings"
            or text.startswith("NOT NULL ")
            or text.endswith(" NOT VALID")
            or (key.kind == "constraint" and key.name in checks)
            for key, text in above.items()
        )
    )


def _read(definition: str) -> tuple[object, str | None]:
    """Return a column and its default; a partition has the identity of its parent."""
    column, default = parse_column(definition)
    return replace(column, identity=None, options=None), default
