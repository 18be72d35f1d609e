"""The rows that a migration keeps: tables and columns under their new names, with the same values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import quote_identifier
from tasks.rehearsal.rows.contents import Contents
from tasks.rehearsal.sql_diff.altering import keeps_generated
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.recreation.carrying import find_users
from tasks.rehearsal.sql_diff.recreation.copying import plan_copying
from tasks.rehearsal.sql_diff.recreation.recreating import find_recreated
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.rehearsal.sql_diff.shapes import Table, expand, parse_column, parse_table

Rows = Mapping[str, Contents]
"""The contents of tables by their names in SQL."""


def find_changed(
    expected: Rows, found: Rows, before: Catalog, after: Catalog, renames: Sequence[ObjectRename]
) -> tuple[str, str] | None:
    """Return a table that lost rows, or of which a column has other values, and what differs.

    Where the type is another one, no values may become NULL. `expected` has the old names, `before` the new ones. Not compared
    are tables that are created again without their rows, and those that lose or get the rows of partitions or children.
    """
    copying = plan_copying(before, after)
    reshaped = _find_reshaped(before, after)
    if copying is not None:
        reshaped = (reshaped | copying.gone) - copying.tables
    else:
        reshaped |= find_recreated(before, after)
    retyped = _find_retyped(before, after)
    for old, rows in expected.items():
        table = rename_table(old, renames)
        now = found.get(table)
        if now is None or table in reshaped:
            continue
        if now.rows != rows.rows:
            return table, f"{table} had {rows.rows} rows, and has {now.rows}"
        for key, values, others in _pair_columns(rows, old, now, table, renames):
            same = key not in retyped and _is_same(key, before, after)
            if (values != others) if same else (not _is_removed(key, before, after) and values[None] < others[None]):
                return table, f"the values of {key.name} in {table}"
    return None


def _find_retyped(before: Catalog, after: Catalog) -> set[Key]:
    """Return the columns whose values may be written differently because a type that is not an enum is another one.

    A row type gets other attributes, or a domain another base type: 1.5 is 1.50 in a domain over numeric(10, 2).
    """
    changed = [
        key
        for kind in ("type", "domain")
        for key, text in before.of_kind(kind)
        if not text.startswith("AS ENUM") and after.objects.get(key, text) != text
    ]
    schema = Schema(expand(before)) if changed else None
    return {column for key in changed if schema for column in find_users(key, schema)}


def _find_reshaped(before: Catalog, after: Catalog) -> set[str]:
    """Return the tables whose partitions or children are not the same in both schemas: the rows of these are theirs too."""
    old, new = (_map_tables(catalog) for catalog in (before, after))
    changed = {name for name in old.keys() | new.keys() if _show_place(old.get(name)) != _show_place(new.get(name))}
    return {ancestor for name in changed for ancestor in list_ancestors(name, (before, after))}


def _map_tables(catalog: Catalog) -> dict[str, Table]:
    tables = ((key.name, parse_table(text)) for key, text in catalog.list_unordered() if key.kind == "table")
    return {name: table for name, table in tables if table is not None}


def _show_place(table: Table | None) -> str:
    return table.attachments if table is not None else ""


def list_ancestors(table: str, catalogs: Sequence[Catalog]) -> set[str]:
    """Return the tables of which a table is a partition or a child, directly or not, in one of the schemas."""
    found: set[str] = set()
    following = [table]
    while following:
        texts = [catalog.objects.get(Key("table", following[-1]), "") for catalog in catalogs]
        following.pop()
        parents = {parent for text in texts if (definition := parse_table(text)) for parent in definition.list_parents()}
        following += parents - found
        found |= parents
    return found


def _pair_columns(
    rows: Contents, old: str, now: Contents, table: str, renames: Sequence[ObjectRename]
) -> Iterator[tuple[Key, Counter[str | None], Counter[str | None]]]:
    names = {quote_identifier(name): values for name, values in now.columns.items()}
    for column, values in rows.columns.items():
        key = rename_column(Key("column", quote_identifier(column), old), table, renames)
        if key.name in names:
            yield key, values, names[key.name]


def _is_same(key: Key, before: Catalog, after: Catalog) -> bool:
    """Return True for a column that has the same type and the same values."""
    if key not in before.objects or key not in after.objects:
        return False
    old, new = (parse_column(catalog.objects[key])[0] for catalog in (before, after))
    kept = old.expression == new.expression or (new.expression is None and old.storage == "STORED")
    return old.type == new.type and (kept or keeps_generated(key, before.objects, after.objects))


def _is_removed(key: Key, before: Catalog, after: Catalog) -> bool:
    """Return True for a generated column whose values are not stored, and that becomes a plain one without them."""
    texts = [catalog.objects.get(key, "") for catalog in (before, after)]
    old, new = (parse_column(text)[0] for text in texts)
    virtual = all(texts) and old.storage == "VIRTUAL" and new.expression is None
    return virtual and not keeps_generated(key, before.objects, after.objects)


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
