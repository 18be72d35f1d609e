"""The first text of a new migration, fitted to its name.

What a template fills in is valid SQL, so that a file runs as it is made. Where the name cannot tell what to write, the
text is comments alone: a file that holds no statement is refused when it is to run, so nothing unwritten passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_IDENTIFIER_LENGTH = 63
"""How many bytes of a name the server keeps: https://www.postgresql.org/docs/current/sql-syntax-lexical.html"""


@dataclass(frozen=True, slots=True)
class Template:
    """Pair the names of migrations with the text that they begin with; `example` is a name that it fits."""

    pattern: re.Pattern[str]
    up: str
    down: str
    example: str


@dataclass(frozen=True, slots=True)
class MigrationText:
    """Hold what stands in a new migration's two files."""

    up: str
    down: str


_HEADER = """\
-- Migration: {file}
-- Description: {description}
--
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool opens the transaction and records the migration.

"""

# A timestamp with no time zone and no NOT NULL, because that is how nearly all tables of the platform have it.
_CREATE_TABLE = """\
CREATE TABLE {table} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- Put the table's own columns here.
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
-- Check the type: it is a guess from the column's name.
ALTER TABLE {table} ADD COLUMN {column} {type};
"""

_DROP_COLUMN = """\
ALTER TABLE {table} DROP COLUMN {column};
"""

_CREATE_INDEX = """\
-- Check the table and the column: they are read from the file's name.
-- CONCURRENTLY lets others write meanwhile. It cannot run in a transaction; the tool runs it alone.
CREATE {unique}INDEX CONCURRENTLY {index} ON {table} ({column});
"""

_DROP_INDEX = """\
DROP INDEX CONCURRENTLY {index};
"""

_TABLE_TO_RECREATE = """\
-- NOT WRITTEN YET: the name does not tell what the table {table} looked like, nor can its rows be brought back.
-- Until a statement stands here, the tool refuses to roll this migration back. It may be like this:
-- CREATE TABLE {table} (…);
-- Where there is no way back, say so in its place: -- migrate: irreversible REASON
"""

_COLUMN_TO_RECREATE = """\
-- NOT WRITTEN YET: the name does not tell which type the column {column} had, nor can its values be brought back.
-- Until a statement stands here, the tool refuses to roll this migration back. It may be like this:
-- ALTER TABLE {table} ADD COLUMN {column} …;
-- Where there is no way back, say so in its place: -- migrate: irreversible REASON
"""

_CHANGE_TO_WRITE = """\
-- NOT WRITTEN YET: put the change here. Until a statement stands here, the tool refuses to run this file.
"""

_INVERSE_TO_WRITE = """\
-- NOT WRITTEN YET: put here what undoes the up file. Until a statement stands here, the tool refuses to roll this
-- migration back. Where there is no way back, say so in its place: -- migrate: irreversible REASON
"""

_TABLE = "(?P<table>[a-z0-9_]+?)"
_COLUMN = "(?P<column>[a-z0-9_]+?)"
_INDEX = "(?P<unique>unique_)?index"
# Where a name has neither separator nor plural, the table is taken to be its first word.
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
"""The templates, of which the first that fits is taken; the last fits every name."""

_TYPES = (
    (re.compile("(?:is|has|can)_.+"), "boolean DEFAULT false"),
    (re.compile(".+_id"), "uuid"),
    (re.compile(".+_at"), "timestamp"),
    (re.compile(".+_count"), "integer DEFAULT 0"),
    (re.compile("(?:.+_)?(?:metadata|settings|preferences)"), "jsonb DEFAULT '{}'::jsonb"),
    (re.compile(".*"), "text"),
)


def choose_template(description: str) -> Template:
    """Choose the template that fits a description in snake_case; the plain one if the server would cut a name."""
    template = next(template for template in TEMPLATES if template.pattern.fullmatch(description))
    return template if _fits_server(_read_names(template, description)) else TEMPLATES[-1]


def render(version: str) -> MigrationText:
    """Write the first text of the files of a version."""
    description = version.partition("_")[2]
    template = choose_template(description)
    values = _derive_values(_read_names(template, description))
    words = description.replace("_", " ")
    up = _HEADER.format(file=f"{version}.sql", description=words.capitalize())
    down = _HEADER.format(file=f"{version}.sql", description=f"Undo: {words}")
    return MigrationText(up + template.up.format(**values), down + template.down.format(**values))


def quote_identifier(name: str) -> str:
    """Quote a name of a table, column, index or trigger where the server needs it, and cut it as the server would."""
    from pglast.keywords import RESERVED_KEYWORDS, TYPE_FUNC_NAME_KEYWORDS

    name = name[:MAX_IDENTIFIER_LENGTH]
    plain = re.fullmatch("[a-z_][a-z0-9_]*", name)
    reserved = name in RESERVED_KEYWORDS or name in TYPE_FUNC_NAME_KEYWORDS
    return name if plain and not reserved else '"' + name.replace('"', '""') + '"'


def _read_names(template: Template, description: str) -> dict[str, str | None]:
    match = template.pattern.fullmatch(description)
    return match.groupdict() if match else {}


def _fits_server(names: dict[str, str | None]) -> bool:
    return all(name is None or len(name) <= MAX_IDENTIFIER_LENGTH for name in names.values())


def _derive_values(names: dict[str, str | None]) -> dict[str, str]:
    table, column = names.get("table") or "", names.get("column") or ""
    return {
        "table": quote_identifier(table),
        "column": quote_identifier(column),
        "index": quote_identifier(f"idx_{table}_{column}"),
        "trigger": quote_identifier(f"update_{table}_updated_at"),
        "type": next(kind for pattern, kind in _TYPES if pattern.fullmatch(column)),
        "unique": "UNIQUE " if names.get("unique") else "",
    }
