"""The initial text of a new migration, chosen by its name.

A template that contains statements is valid SQL, so that the file can be run unchanged. Where the name does not determine the
statements, the text contains only comments: a run refuses a file with such a comment, so an unwritten one is never applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.postgres.quoting import MAX_NAME_BYTES, quote_identifier


@dataclass(frozen=True, slots=True)
class Template:
    """The initial text of migrations whose names match a pattern; `example` is such a name."""

    pattern: re.Pattern[str]
    up: str
    down: str
    example: str


@dataclass(frozen=True, slots=True)
class MigrationText:
    """The text of the two files of a new migration."""

    up: str
    down: str


_HEADER = """\
-- Migration: {file}
-- Description: {description}
--
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool begins the transaction and records the migration.

"""

# Nearly all tables of the platform have timestamps without time zone and without NOT NULL.
_CREATE_TABLE = """\
CREATE TABLE {table} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- Add the columns of the table here.
    created_at timestamp DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp DEFAULT CURRENT_TIMESTAMP
);

CREATE TRIGGER {trigger}
    BEFORE UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
"""

_DROP_TABLE = """\
DROP TABLE {table};
"""

_ADD_COLUMN = """\
-- Check the type: it is guessed from the column's name.
ALTER TABLE {table} ADD COLUMN {column} {type};
"""

_DROP_COLUMN = """\
ALTER TABLE {table} DROP COLUMN {column};
"""

_CREATE_INDEX = """\
-- Check the table and the column: they are taken from the file's name.
-- CONCURRENTLY does not block writes. It cannot run in a transaction; the tool runs it outside of one.
CREATE {unique}INDEX CONCURRENTLY {index} ON {table} ({column});
"""

_DROP_INDEX = """\
DROP INDEX CONCURRENTLY {index};
"""

_TABLE_TO_RECREATE = """\
-- NOT WRITTEN YET: the name does not determine the columns of the table {table}, and its rows cannot be restored.
-- While this line is here, the tool refuses to roll back this migration. An example:
-- CREATE TABLE {table} (…);
-- If it cannot be rolled back, write instead: -- migrate: irreversible REASON
"""

_COLUMN_TO_RECREATE = """\
-- NOT WRITTEN YET: the name does not determine the type of the column {column}, and its values cannot be restored.
-- While this line is here, the tool refuses to roll back this migration. An example:
-- ALTER TABLE {table} ADD COLUMN {column} …;
-- If it cannot be rolled back, write instead: -- migrate: irreversible REASON
"""

_CHANGE_TO_WRITE = """\
-- NOT WRITTEN YET: write the change here in place of this line. While it is here, the tool refuses to run this file.
"""

_INVERSE_TO_WRITE = """\
-- NOT WRITTEN YET: write here what reverts the up file, in place of these lines. While they are here, the tool refuses to
-- roll back this migration. If it cannot be rolled back, write instead: -- migrate: irreversible REASON
"""

_TABLE = "(?P<table>[a-z0-9_]+?)"
_COLUMN = "(?P<column>[a-z0-9_]+?)"
_INDEX = "(?P<unique>unique_)?index"
# In a name with neither a separator nor a plural, the table is the first word.
_TABLE_BEFORE_COLUMN = "(?P<table>[a-z0-9_]*?s|[a-z0-9]+)"
_ONE_THING = "(?!.*_and_)"
_NO_COLUMN = (
    r"(?!(?:unique_)?index_)(?!(?:\w+_)?(?:columns|fields|index|indexes|indices|constraint|constraints|trigger|triggers"
    r"|foreign_key|foreign_keys|primary_key)_(?:to|from)_)"
)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(_ONE_THING + pattern)


TEMPLATES = (
    Template(
        _compile(rf"(?:(?:add|create)_)?{_INDEX}_(?:on_)?{_TABLE}_on_{_COLUMN}"),
        _CREATE_INDEX,
        _DROP_INDEX,
        "index_chat_messages_on_model",
    ),
    Template(
        _compile(rf"(?:add|create)_{_INDEX}_on_{_COLUMN}_to_{_TABLE}(?:_table)?"),
        _CREATE_INDEX,
        _DROP_INDEX,
        "add_unique_index_on_key_hash_to_api_keys",
    ),
    Template(
        _compile(rf"(?!.*_table\Z)(?:add|create)_{_INDEX}_on_{_TABLE_BEFORE_COLUMN}_{_COLUMN}"),
        _CREATE_INDEX,
        _DROP_INDEX,
        "add_index_on_api_keys_user_id",
    ),
    Template(
        _compile(rf"add_{_NO_COLUMN}{_COLUMN}(?:_column)?_to_(?!.*_to_){_TABLE}(?:_table)?"),
        _ADD_COLUMN,
        _DROP_COLUMN,
        "add_last_seen_at_to_users",
    ),
    Template(
        _compile(rf"(?:drop|remove)_{_NO_COLUMN}{_COLUMN}(?:_column)?_from_(?!.*_from_){_TABLE}(?:_table)?"),
        _DROP_COLUMN,
        _COLUMN_TO_RECREATE,
        "drop_preview_from_conversations",
    ),
    Template(
        _compile(rf"(?:add|create)_(?!(?:unique_)?index_){_TABLE}_table"),
        _CREATE_TABLE,
        _DROP_TABLE,
        "create_workspaces_table",
    ),
    Template(_compile(rf"(?:drop|remove)_{_TABLE}_table"), _DROP_TABLE, _TABLE_TO_RECREATE, "drop_teams_table"),
    Template(re.compile(".*"), _CHANGE_TO_WRITE, _INVERSE_TO_WRITE, "merge_duplicate_roles"),
)
"""The templates; the first that matches is used, and the last matches every name."""

_TYPES = (
    (re.compile("(?:is|has|can)_.+"), "boolean DEFAULT false"),
    (re.compile(".+_id"), "uuid"),
    (re.compile(".+_at"), "timestamp"),
    (re.compile(".+_count"), "integer DEFAULT 0"),
    (re.compile("(?:.+_)?(?:metadata|settings|preferences)"), "jsonb DEFAULT '{}'::jsonb"),
    (re.compile(".*"), "text"),
)


def choose_template(description: str) -> Template:
    """Return the template for a description in snake_case; the plain one if the server would truncate a name."""
    template = next(template for template in TEMPLATES if template.pattern.fullmatch(description))
    return template if _fits_server(_read_names(template, description)) else TEMPLATES[-1]


def render(version: str) -> MigrationText:
    """Return the initial text of the files of a version."""
    description = version.partition("_")[2]
    template = choose_template(description)
    values = _derive_values(_read_names(template, description))
    words = description.replace("_", " ")
    up = _HEADER.format(file=f"{version}.sql", description=words.capitalize())
    down = _HEADER.format(file=f"{version}.sql", description=f"Undo: {words}")
    return MigrationText(up + template.up.format(**values), down + template.down.format(**values))


def _read_names(template: Template, description: str) -> dict[str, str | None]:
    match = template.pattern.fullmatch(description)
    return match.groupdict() if match else {}


def _fits_server(names: dict[str, str | None]) -> bool:
    return all(name is None or len(name) <= MAX_NAME_BYTES for name in names.values())


def _derive_values(names: dict[str, str | None]) -> dict[str, str]:
    table, column = names.get("table") or "", names.get("column") or ""
    return {
        "table": quote_identifier(table),
        "column": quote_identifier(column),
        # The server would truncate a longer name too, with a notice. A description is ASCII.
        "index": quote_identifier(f"idx_{table}_{column}"[:MAX_NAME_BYTES]),
        "trigger": quote_identifier(f"update_{table}_updated_at"[:MAX_NAME_BYTES]),
        "type": next(kind for pattern, kind in _TYPES if pattern.fullmatch(column)),
        "unique": "UNIQUE " if names.get("unique") else "",
    }
