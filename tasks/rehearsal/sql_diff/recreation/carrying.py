"""Columns that keep their rows while their type is dropped and created again: they are converted to another type and back.

ALTER TYPE cannot remove or move the labels of an enum, and neither the base type of a domain nor the subtype of a range can be
changed: https://www.postgresql.org/docs/current/sql-altertype.html
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.names import list_names, list_type_names
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table, read_attributes

TYPES = frozenset({"collation", "type", "domain"})


def find_users(key: Key, schema: Schema) -> set[Key]:
    """Return the columns of a type, of types that are made of it, and of domains over it."""
    seen, waiting, columns = {key}, [key], set[Key]()
    while waiting:
        for each in schema.needed_by.get(waiting.pop(), set()) - seen:
            seen.add(each)
            if each.kind in TYPES:
                waiting.append(each)
            elif each.kind == "column":
                columns.add(each)
    return columns


def is_replaceable(key: Key, before: Schema, after: Schema) -> bool:
    """Return True if a type can be dropped and created again, because its columns can be converted to text and back.

    The text of a row has a value for each attribute: where these are others, or in another order, the text is composed, which is
    written only for columns of the type itself.
    """
    staying = before.objects.keys() & after.objects.keys()
    users = [(column, schema) for schema in (before, after) for column in find_users(key, schema) & staying]
    attributes = [list(read_attributes(schema.objects[key])) for schema in (before, after)]
    is_plain = all(parse_column(schema.objects[column])[0].type == key.name for column, schema in users)
    return not users or ((attributes[0] == attributes[1] or is_plain) and not any(_is_fixed(*user) for user in users))


def is_contained(key: Key, schema: Schema) -> bool:
    """Return True for a domain of which a column has values in an array, a row or a range."""
    users = (schema.objects[column] for column in find_users(key, schema))
    return any(key.name != parse_column(definition)[0].type for definition in users)


def is_inherited(column: Key, schema: Schema) -> bool:
    """Return True for a column that changes with that of a parent."""
    table = parse_table(schema.objects.get(Key("table", column.parent), ""))
    parents = (table.partition_of or table.parents or "").split(", ") if table else []
    return any(Key("column", column.name, parent) in schema.objects for parent in parents)


def is_carried(column: Key, schema: Schema, dropped: Collection[Key]) -> bool:
    """Return True for a column that stays while its type is dropped."""
    return (
        column.kind == "column"
        and column not in dropped
        and any(each.kind in TYPES for each in _find_lost(column, schema, dropped))
    )


def carry(column: Key, schema: Schema, dropped: Collection[Key]) -> str:
    """Return the definition that a column has while its type or collation does not exist."""
    definition = parse_column(schema.objects[column])[0]
    lost = {name for each in _find_lost(column, schema, dropped) for name in list_type_names(each, schema.objects[each])}
    kept = definition.type if not lost & list_names(definition.type) else "text"
    return replace(definition, type=kept, collation=None).write()


def write_carry(column: Key, definition: str, before: Schema, after: Schema) -> str:
    """Return the statement that converts a column to the type in a definition."""
    name, type_ = column.name, Key("type", parse_column(before.objects[column])[0].type)
    old, new = (list(read_attributes(schema.objects.get(type_, ""))) for schema in (before, after))
    using = ""
    if old and new and old != new:
        values = ", ".join(f"({name}).{attribute}" if attribute in old else "NULL" for attribute in new)
        # IS DISTINCT FROM, because IS NOT NULL is true only if no attribute is null.
        using = f" USING CASE WHEN {name} IS DISTINCT FROM NULL THEN ROW({values})::text END"
    return f"ALTER TABLE {column.parent} ALTER COLUMN {name} TYPE {parse_column(definition)[0].type}{using}"


def _find_lost(column: Key, schema: Schema, dropped: Collection[Key]) -> set[Key]:
    return {each for each in schema.needs.get(column, ()) if each.kind in TYPES and each in dropped}


def _is_fixed(column: Key, schema: Schema) -> bool:
    """Return True for a column whose type cannot be changed: of a partition key, a typed table, or a foreign table."""
    table = parse_table(schema.objects.get(Key("table", column.parent), "OF foreign"))
    if table is None or table.type is not None:
        return True
    if is_inherited(column, schema):
        return False
    return column.name in list_names(table.partitioned or "")
