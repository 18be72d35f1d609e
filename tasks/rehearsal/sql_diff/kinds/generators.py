"""Columns that get their numbers from an identity instead of a sequence of their own, or the reverse: the last value is kept.

https://www.postgresql.org/docs/current/ddl-identity-columns.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import show_literal
from tasks.rehearsal.sql_diff.creating import create_object
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.kinds.sequences import fit_value, name_identity
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED, Column, expand, parse_column


@dataclass(frozen=True, slots=True)
class GeneratorChange:
    """A column that changes between an identity and a sequence of its own."""

    column: Key
    parts: tuple[Key, Key, Key]
    """The sequence of its own, its owner, and the default of the column: the statements for the column include theirs."""
    becomes_identity: bool
    statement: str


def find_generator_changes(before: Schema, after: Schema) -> Iterator[GeneratorChange]:
    """Yield the columns whose last value can be kept, because nothing else needs the sequence."""
    for key, definition in before.objects.items():
        if key.kind != "column" or key not in after.objects:
            continue
        old, new = parse_column(definition)[0], parse_column(after.objects[key])[0]
        if bool(old.identity) == bool(new.identity):
            continue
        identity, schema, other = (new, before, after) if new.identity else (old, after, before)
        sequence = _find_own(key, schema)
        if sequence is None or sequence in other.objects:
            continue
        name = identity.sequence or name_identity(key)
        ranges = (schema.objects[sequence], f"AS {identity.type} {identity.options or ''}")
        value = fit_value("value", *(ranges if new.identity else ranges[::-1]))
        parts = (sequence, Key(OWNED, sequence.name), Key(DEFAULT, key.name, key.parent))
        if new.identity:
            changes = list(_become_identity(key, sequence, identity))
            statement = _write(sequence.name, name, value, changes)
        else:
            changes = list(_become_serial(key, sequence, schema))
            statement = _write(name, sequence.name, value, changes)
        yield GeneratorChange(key, parts, bool(new.identity), statement)


def keeps_last_value(column: Key, before: Catalog, after: Catalog) -> bool:
    """Return True if a column that changes between an identity and a sequence of its own goes on with the next number."""
    changes = find_generator_changes(*(Schema(expand(catalog)) for catalog in (before, after)))
    return any(change.column == column for change in changes)


def _find_own(column: Key, schema: Schema) -> Key | None:
    """Return the sequence that a column owns and has as its default, if nothing else needs or describes it."""
    default, owner = Key(DEFAULT, column.name, column.parent), f"{column.parent}.{column.name}"
    for each in schema.needs.get(default, ()):
        if each.kind == "sequence" and schema.objects.get(Key(OWNED, each.name)) == owner:
            exclusive = schema.needed_by[each] <= {default, Key(OWNED, each.name)}
            plain = schema.objects[default] == f"nextval({show_literal(each.name)}::regclass)"
            return each if exclusive and plain else None
    return None


def _become_identity(key: Key, sequence: Key, identity: Column) -> Iterator[str]:
    start = f"ALTER TABLE {key.parent} ALTER COLUMN {key.name}"
    yield f"{start} DROP DEFAULT"
    yield f"DROP SEQUENCE {sequence.name}"
    yield f"{start} ADD GENERATED {identity.identity} AS IDENTITY" + (f" ({identity.options})" if identity.options else "")


def _become_serial(key: Key, sequence: Key, schema: Schema) -> Iterator[str]:
    start = f"ALTER TABLE {key.parent} ALTER COLUMN {key.name}"
    yield f"{start} DROP IDENTITY"
    yield from create_object(sequence, schema.objects[sequence], schema.objects)
    yield f"{start} SET DEFAULT {schema.objects[Key(DEFAULT, key.name, key.parent)]}"
    yield f"ALTER SEQUENCE {sequence.name} OWNED BY {key.parent}.{key.name}"


def _write(old: str, new: str, value: str, changes: Sequence[str]) -> str:
    """Return a block: between its statements, the column has nothing that numbers its rows."""
    read = f"SELECT last_value, is_called INTO value, returned FROM {old}"
    move = f"PERFORM pg_catalog.setval({show_literal(new)}, {value}, returned)"
    block = write_block((read, *changes, move), "DECLARE\n    value bigint;\n    returned boolean;\n")
    return f"-- keeps the last value of the sequence\n{block}"


def write_block(statements: Sequence[str], declarations: str = "") -> str:
    """Return statements as one, so that nothing comes between them."""
    lines = "".join(f"    {text};\n" for text in statements)
    text = f"{declarations}BEGIN\n{lines}END"
    mark = next(mark for n in range(len(text)) if (mark := f"$keep{n or ''}$") not in text)
    return f"DO {mark}\n{text}\n{mark}"
