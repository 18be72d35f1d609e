"""The statements of a change: the up and down body of each migration that it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.templates.known_schema import KnownSchema, KnownTable
from tasks.templates.object_names import name_foreign_key, name_index, name_not_null_check, name_trigger, name_unique
from tasks.templates.readings import Reading

UPDATE_FUNCTION = "update_updated_at_column"
"""The trigger function that sets updated_at, in projects whose migrations create it."""


@dataclass(frozen=True, slots=True)
class Body:
    """The statements of a migration; `description` is that of a migration after the first one."""

    up: str
    down: str
    description: str = ""


_CHECK_NAMES = "-- Check the table and the columns: they are taken from the file's name.\n"
_CHECK_TYPE = "-- Check the type: it is guessed from the column's name.\n"
_CONCURRENTLY = "-- CONCURRENTLY does not block writes. It cannot run in a transaction; the tool runs it outside of one.\n"
_KEY_INDEX = "-- Without an index on the column, each change of a key in the other table reads this whole table.\n"
_NOT_VALID = "-- NOT VALID: rows that exist are checked in the next migration, without a lock that blocks writes.\n"
_VALIDATE = "-- Reads the whole table, and blocks neither reads nor writes.\n"
_AFTER_DEPLOY = (
    "-- migrate: after-deploy\n"
    "-- The code that runs until the deployment may still use this. Delete the line above if none of it does.\n\n"
)
_RENAMED = (
    f"{_AFTER_DEPLOY}-- The application must know both names: the new one is there from this moment on, the old one until then.\n"
)
_NOT_VALIDATED = "-- No statement makes a constraint not valid again, so it is created again, without a scan.\n"

_TYPES = (
    (re.compile("(?:is|has|can)_.+"), "boolean DEFAULT false"),
    (re.compile(".+_ids"), "uuid[]"),
    (re.compile(".+_id"), "uuid"),
    (re.compile(".+_at"), "timestamp"),
    (re.compile("(?:.+_)?date|birthday|.+_on"), "date"),
    (re.compile(".+_count"), "integer DEFAULT 0"),
    (re.compile("(?:.+_)?(?:quantity|position|rank|priority)"), "integer"),
    (re.compile("(?:.+_)?(?:price|amount|balance)"), "numeric"),
    (re.compile("(?:.+_)?(?:metadata|settings|preferences)"), "jsonb DEFAULT '{}'::jsonb"),
    (re.compile(".*"), "text"),
)


def write_bodies(reading: Reading, known: KnownSchema) -> tuple[Body, ...]:
    """Return the bodies of the migrations that make a change, in the order in which they run."""
    return _WRITERS[reading.change](reading, known)


def _take_table(reading: Reading) -> KnownTable:
    if reading.table is None:
        raise ValueError(f"a change without a table: {reading.change}")
    return reading.table


def _join(names: Iterable[str]) -> str:
    return ", ".join(map(quote_identifier, names))


def _write_index(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    name = name_index(table.name, *reading.columns)
    unique = "UNIQUE " if reading.change == "unique_index" else ""
    up = f"CREATE {unique}INDEX CONCURRENTLY {quote_identifier(name)} ON {table.sql} ({_join(reading.columns)});\n"
    return (Body(_CHECK_NAMES + _CONCURRENTLY + up, f"DROP INDEX CONCURRENTLY {quote_qualified(table.schema, name)};\n"),)


def _write_unique(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    name = quote_identifier(name_unique(table.name, *reading.columns))
    up = (
        f"{_CHECK_NAMES}{_CONCURRENTLY}CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table.sql} ({_join(reading.columns)});\n\n"
        f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} UNIQUE USING INDEX {name};\n"
    )
    return (Body(up, f"ALTER TABLE {table.sql} DROP CONSTRAINT {name};\n"),)


def _write_not_null(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table, (column,) = _take_table(reading), reading.columns
    quoted, check = quote_identifier(column), quote_identifier(name_not_null_check(table.name, column))
    add = f"ADD CONSTRAINT {check} CHECK ({quoted} IS NOT NULL) NOT VALID"
    first = Body(
        f"{_CHECK_NAMES}{_NOT_VALID}ALTER TABLE {table.sql} {add};\n",
        f"ALTER TABLE {table.sql} DROP CONSTRAINT {check};\n",
    )
    second = Body(
        f"-- Rows that exist need a value first: UPDATE {table.sql} SET {quoted} = … WHERE {quoted} IS NULL;\n{_VALIDATE}"
        f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {check};\n\n"
        "-- Does not read the table again: the constraint shows that no value is missing.\n"
        f"ALTER TABLE {table.sql} ALTER COLUMN {quoted} SET NOT NULL;\n"
        f"ALTER TABLE {table.sql} DROP CONSTRAINT {check};\n",
        f"{_NOT_VALIDATED}ALTER TABLE {table.sql} {add};\nALTER TABLE {table.sql} ALTER COLUMN {quoted} DROP NOT NULL;\n",
        f"set_{table.name}_{column}_not_null",
    )
    return (first, second)


def _write_foreign_key(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    first, second = _compose_foreign_key(reading, reading.columns[0])
    return (Body(_CHECK_NAMES + first.up, first.down), second)


def _write_reference(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table, other, (column,) = _take_table(reading), reading.other, reading.new_names
    kind = other.columns[other.key[0]] if other and other.columns else ""
    first, second = _compose_foreign_key(reading, column)
    added = f"ALTER TABLE {table.sql} ADD COLUMN {quote_identifier(column)} {kind};\n\n"
    dropped = f"ALTER TABLE {table.sql} DROP COLUMN {quote_identifier(column)};\n"
    return (Body(added + first.up, first.down + dropped), second)


def _compose_foreign_key(reading: Reading, column: str) -> tuple[Body, Body]:
    table, other = _take_table(reading), reading.other
    if other is None:
        raise ValueError("a foreign key without the table to which it refers")
    name = quote_identifier(name_foreign_key(table.name, column))
    add = (
        f"ADD CONSTRAINT {name}\n"
        f"        FOREIGN KEY ({quote_identifier(column)}) REFERENCES {other.sql} ({_join(other.key)}) NOT VALID"
    )
    drop = f"ALTER TABLE {table.sql} DROP CONSTRAINT {name};\n"
    index = name_index(table.name, column)
    build = f"CREATE INDEX CONCURRENTLY {quote_identifier(index)} ON {table.sql} ({quote_identifier(column)});\n"
    first = Body(
        f"{_KEY_INDEX}{_CONCURRENTLY}{build}\n{_NOT_VALID}ALTER TABLE {table.sql}\n    {add};\n",
        f"{drop}DROP INDEX CONCURRENTLY {quote_qualified(table.schema, index)};\n",
    )
    second = Body(
        f"{_VALIDATE}ALTER TABLE {table.sql} VALIDATE CONSTRAINT {name};\n",
        f"{_NOT_VALIDATED}ALTER TABLE {table.sql}\n    DROP CONSTRAINT {name},\n    {add};\n",
        f"validate_{table.name}_{column}_foreign_key",
    )
    return first, second


def _write_new_columns(reading: Reading, known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    added = [f"ADD COLUMN {quote_identifier(name)} {_guess_type(name, known)}" for name in reading.new_names]
    dropped = [f"DROP COLUMN {quote_identifier(name)}" for name in reversed(reading.new_names)]
    return (Body(_CHECK_TYPE + _alter(table, added), _alter(table, dropped)),)


def _alter(table: KnownTable, actions: list[str]) -> str:
    separator, first = (",\n    ", "\n    ") if len(actions) > 1 else ("", " ")
    return f"ALTER TABLE {table.sql}{first}{separator.join(actions)};\n"


def _guess_type(column: str, known: KnownSchema) -> str:
    """Return the type of a column; a column named user_id has that of the key of users, if it is known."""
    if column.endswith("_id"):
        target = column.removesuffix("_id")
        found = known.find_tables(target) or known.find_variants(target)
        if len(found) == 1 and len(found[0].key) == 1 and found[0].columns:
            return found[0].columns.get(found[0].key[0]) or "uuid"
    return next(kind for pattern, kind in _TYPES if pattern.fullmatch(column))


def _write_dropped_columns(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    up = _alter(table, [f"DROP COLUMN {quote_identifier(name)}" for name in reading.columns])
    examples = [f"ALTER TABLE {table.sql} ADD COLUMN {quote_identifier(name)} …;" for name in reading.columns]
    subject = "the types of the columns" if len(reading.columns) > 1 else "the type of the column"
    what = f"{subject} {_join(reading.columns)}, and {'their' if len(reading.columns) > 1 else 'its'} values cannot be restored"
    return (Body(_AFTER_DEPLOY + up, describe_unwritten_down(f"the name does not determine {what}.", examples)),)


def _write_renamed_column(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table, (old,), (new,) = _take_table(reading), reading.columns, reading.new_names
    return (
        Body(
            f"{_RENAMED}ALTER TABLE {table.sql} RENAME COLUMN {quote_identifier(old)} TO {quote_identifier(new)};\n",
            f"ALTER TABLE {table.sql} RENAME COLUMN {quote_identifier(new)} TO {quote_identifier(old)};\n",
        ),
    )


def _write_renamed_table(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table, new = _take_table(reading), reading.new_names[-1]
    renamed = quote_qualified(table.schema, new)
    return (
        Body(
            f"{_RENAMED}ALTER TABLE {table.sql} RENAME TO {quote_identifier(new)};\n",
            f"ALTER TABLE {renamed} RENAME TO {quote_identifier(table.name)};\n",
        ),
    )


def _write_table(reading: Reading, known: KnownSchema) -> tuple[Body, ...]:
    *schema, name = reading.new_names
    table = KnownTable(schema[0] if schema else "", name)
    # Nearly all tables of the platform have timestamps without time zone and without NOT NULL.
    up = (
        f"CREATE TABLE {table.sql} (\n"
        "    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),\n"
        "    -- Add the columns of the table here.\n"
        "    created_at timestamp DEFAULT CURRENT_TIMESTAMP,\n"
        "    updated_at timestamp DEFAULT CURRENT_TIMESTAMP\n"
        f");\n{_compose_trigger(table, known)}"
    )
    return (Body(up, f"DROP TABLE {table.sql};\n"),)


def _write_timestamps(reading: Reading, known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    columns = [f"ADD COLUMN {name} timestamp DEFAULT CURRENT_TIMESTAMP" for name in ("created_at", "updated_at")]
    trigger = _compose_trigger(table, known)
    drop = f"DROP TRIGGER {quote_identifier(name_trigger(table.name))} ON {table.sql};\n\n" if trigger else ""
    note = "-- Rows that exist get the time of this migration.\n"
    return (
        Body(note + _alter(table, columns) + trigger, drop + _alter(table, ["DROP COLUMN updated_at", "DROP COLUMN created_at"])),
    )


def _compose_trigger(table: KnownTable, known: KnownSchema) -> str:
    """Return the trigger that sets updated_at, or nothing if no migration creates its function."""
    schemas = [schema for schema, name in sorted(known.functions) if name == UPDATE_FUNCTION]
    if len(schemas) != 1:
        return ""
    return (
        f"\nCREATE TRIGGER {quote_identifier(name_trigger(table.name))}\n    BEFORE UPDATE ON {table.sql}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION {quote_qualified(schemas[0], UPDATE_FUNCTION)}();\n"
    )


def _write_dropped_table(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    what = f"the name does not determine the columns of the table {table.sql}, and its rows cannot be restored."
    return (Body(f"{_AFTER_DEPLOY}DROP TABLE {table.sql};\n", describe_unwritten_down(what, [f"CREATE TABLE {table.sql} (…);"])),)


def _write_extension(reading: Reading, known: KnownSchema) -> tuple[Body, ...]:
    name = quote_identifier(reading.extension)
    note = "-- One that an administrator has created before is kept. Otherwise, most extensions need a superuser.\n"
    down = f"-- If the extension was there before this migration, or must stay, delete this statement.\nDROP EXTENSION {name};\n"
    if reading.extension in known.extensions:
        down = "-- An older migration creates this extension too, so it stays.\n"
    return (Body(f"{note}CREATE EXTENSION IF NOT EXISTS {name};\n", down),)


def _write_dropped_extension(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    name = quote_identifier(reading.extension)
    return (Body(f"{_AFTER_DEPLOY}DROP EXTENSION {name};\n", f"CREATE EXTENSION {name};\n"),)


def _write_row_security(reading: Reading, _known: KnownSchema) -> tuple[Body, ...]:
    table = _take_table(reading)
    enable, disable = (f"ALTER TABLE {table.sql} {word} ROW LEVEL SECURITY;\n" for word in ("ENABLE", "DISABLE"))
    if reading.change == "disable_rls":
        return (Body(disable, enable),)
    note = "-- Without a policy, roles other than the owner see no rows: CREATE POLICY … ON … USING (…);\n"
    return (Body(note + enable, disable),)


def describe_unwritten_down(reason: str, examples: Iterable[str]) -> str:
    """Return the body of a down file whose statements the name does not determine; a rollback refuses it until it is written."""
    shown = "".join(f"-- {example}\n" for example in examples)
    return (
        f"-- NOT WRITTEN YET: {reason}\n"
        f"-- While this line is here, the tool refuses to roll back this migration. An example:\n{shown}"
        "-- If it cannot be rolled back, write instead: -- migrate: irreversible REASON\n"
    )


_WRITERS: dict[str, Callable[[Reading, KnownSchema], tuple[Body, ...]]] = {
    "index": _write_index,
    "unique_index": _write_index,
    "unique": _write_unique,
    "not_null": _write_not_null,
    "foreign_key": _write_foreign_key,
    "reference": _write_reference,
    "timestamps": _write_timestamps,
    "enable_rls": _write_row_security,
    "disable_rls": _write_row_security,
    "add_columns": _write_new_columns,
    "drop_columns": _write_dropped_columns,
    "rename_column": _write_renamed_column,
    "rename_table": _write_renamed_table,
    "create_table": _write_table,
    "drop_table": _write_dropped_table,
    "create_extension": _write_extension,
    "drop_extension": _write_dropped_extension,
}
