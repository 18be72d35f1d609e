"""The rows that a migration keeps: tables and columns under their new names, with the same values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import quote_identifier
from tasks.rehearsal.rows.contents import Contents
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.rehearsal.sql_diff.shapes import parse_column

Rows = Mapping[str, Contents]
"""The contents of tables by their names in SQL."""


def find_changed(expected: Rows, found: Rows, before: Catalog, after: Catalog, renames: Sequence[ObjectRename]) -> str:
    """Return which table lost rows, or which column has other values though its type is the same; empty if none has.

    `expected` has the old names, and `before` the new ones.
    """
    for old, rows in expected.items():
        table = rename_table(old, renames)
        now = found.get(table)
        if now is None:
            continue
        if now.rows != rows.rows:
            return f"{table} had {rows.rows} rows, and has {now.rows}"
        for key, values, others in _pair_columns(rows, old, now, table, renames):
            texts = before.objects.get(key), after.objects.get(key)
            if None not in texts and _show_values(texts[0]) == _show_values(texts[1]) and values != others:
                return f"the values of {key.name} in {table}"
    return ""


def _pair_columns(
    rows: Contents, old: str, now: Contents, table: str, renames: Sequence[ObjectRename]
) -> Iterator[tuple[Key, object, object]]:
    names = {quote_identifier(name): values for name, values in now.columns.items()}
    for column, values in rows.columns.items():
        key = rename_column(Key("column", quote_identifier(column), old), table, renames)
        if key.name in names:
            yield key, values, names[key.name]


def _show_values(definition: str | None) -> tuple[str, str | None]:
    column = parse_column(definition or "")[0]
    return column.type, column.expression


def rename_table(name: str, renames: Sequence[ObjectRename]) -> str:
    """Return the new name of a table."""
    for rename in renames:
        if rename.old.kind == "table" and rename.old.name == name:
            name = rename.new.name
        elif rename.old.kind == "schema" and name.startswith(f"{rename.old.name}."):
            name = f"{rename.new.name}{name.removeprefix(rename.old.name)}"
    return name


def rename_column(key: Key, table: str, renames: Sequence[ObjectRename]) -> Key:
    """Return the new key of a column of a table whose new name is known: it may be renamed before or after its table."""
    name = key.name
    for rename in renames:
        if rename.old.kind == "column" and rename.old.name == name and rename_table(rename.old.parent, renames) == table:
            name = rename.new.name
    return Key("column", name, table)
