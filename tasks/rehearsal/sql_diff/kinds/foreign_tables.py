"""Foreign tables, which have no rows here: one that changes is dropped and created again, as a whole.

https://www.postgresql.org/docs/current/sql-createforeigntable.html
"""

from __future__ import annotations

import re

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.shapes import parse_column

FOREIGN = frozenset({"server", "foreign table"})
_OPTIONS = re.compile(r"(?P<column>.*?)(?P<options> OPTIONS \((?:[^'()]|'(?:[^']|'')*')*\))?", re.DOTALL)
_HIDDEN = "'***'"
"""A value of an option that may be a secret, which is not read."""


def fold_foreign_tables(catalog: Catalog) -> dict[Key, str]:
    """Return the objects of a catalog, with the columns of foreign tables as parts of their definitions."""
    tables = {key.name for key, _ in catalog.of_kind("foreign table")}
    if not tables:
        return dict(catalog.objects)
    objects = {
        key: definition
        for key, definition in catalog.objects.items()
        if not (key.kind == "column" and key.parent in tables) and not (key.kind == COLUMN_ORDER and key.name in tables)
    }
    for name in tables:
        columns = split_list(catalog.objects.get(Key(COLUMN_ORDER, name), ""))
        lines = ",\n".join(f"    {column} {_write(catalog.objects[Key('column', column, name)])}" for column in columns)
        objects[Key("foreign table", name)] = f"(\n{lines}\n) {catalog.objects[Key('foreign table', name)]}"
    return objects


def is_foreign_writable(definition: str) -> bool:
    """Return True if a server or foreign table can be created: no option is hidden, and it has no parents."""
    return _HIDDEN not in definition and "\n) PARTITION OF " not in definition and "\n) INHERITS (" not in definition


def _write(definition: str) -> str:
    """Return a column as in CREATE FOREIGN TABLE, where the options follow the type."""
    match = _OPTIONS.fullmatch(definition)
    assert match is not None
    column, default = parse_column(match["column"])
    return column.type + (match["options"] or "") + column.write(default).removeprefix(column.type)
