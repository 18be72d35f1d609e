"""The forms of names that determine a change, as data: words, alternatives, optional words in brackets, and slots in braces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TABLE, OTHER, NEW_TABLE = "table", "other", "new_table"
COLUMN, COLUMNS, NEW_COLUMN, NEW_COLUMNS = "column", "columns", "new_column", "new_columns"
REFERENCE, EXTENSION = "reference", "extension"

DOT = "dotsep"
"""The word in the place of a dot between a schema and a table."""

Slots = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a name and the change that it means."""

    change: str
    pattern: str
    certain: bool = True
    """Whether words alone determine the change; if not, its tables and columns must be known from the migrations."""


_INDEX_ON = "on|to|for|in"
_OF = "to|in|on|of|for"
_FK = ("fk", "foreign key [constraint]")
_NOT_NULL = ("not null [constraint]", "required", "mandatory", "non null")

FORMS = (
    *(
        form
        for unique, change in (("", "index"), ("unique ", "unique_index"))
        for form in (
            Form(change, f"[add|create] {unique}index [{_INDEX_ON}] {{table}} on {{columns}}"),
            Form(change, f"[add|create] {unique}index on {{columns}} {_OF} {{table}}"),
            Form(change, f"[add|create] {unique}index {{columns}} to|in|of|for {{table}}"),
            Form(change, f"add|create {unique}index {_INDEX_ON} {{table}} {{columns}}"),
            Form(change, f"[add|create] {unique}index {{table}} {{columns}}", certain=False),
            Form(change, f"add|create {{columns}} {unique}index {_OF} {{table}}"),
            Form(change, f"add|create {{table}} {{columns}} {unique}index", certain=False),
        )
    ),
    *(
        form
        for unique in ("unique", "uniqueness")
        for form in (
            Form("unique", f"add|create {unique} [constraint|key] [{_INDEX_ON}] {{table}} on {{columns}}"),
            Form("unique", f"add|create {unique} [constraint|key] {_INDEX_ON} {{table}} {{columns}}"),
            Form("unique", f"add|create {unique} constraint [on] {{columns}} {_OF} {{table}}"),
            Form("unique", f"add|create {unique} [constraint] on|of {{columns}} to|in {{table}}"),
            Form("unique", f"add|create {unique} {{columns}} {_OF} {{table}}", certain=False),
            Form("unique", f"add|create {{columns}} {unique} constraint {_OF} {{table}}"),
        )
    ),
    Form("unique", "make {table} {columns} unique"),
    Form("unique", "make {columns} unique in|on|of {table}"),
    Form("unique", "add {table} {columns} unique [constraint]", certain=False),
    *(
        form
        for words in _NOT_NULL[:1]
        for form in (
            Form("not_null", f"add|set {words} to|on|for|in {{table}} {{column}}"),
            Form("not_null", f"add|set {words} [to|on|for|of] {{column}} in|on|of|to {{table}}"),
            Form("not_null", f"add|set {words} [to|on|for|in] {{table}} on {{column}}"),
            Form("not_null", f"add {{table}} {{column}} {words}"),
            Form("not_null", f"add|set {words} {{table}} {{column}}", certain=False),
        )
    ),
    *(
        form
        for words in _NOT_NULL
        for form in (
            Form("not_null", f"make|set {{table}} {{column}} {words}"),
            Form("not_null", f"make|set {{column}} {words} in|on|of|for {{table}}"),
        )
    ),
    *(
        form
        for words in _FK
        for form in (
            Form("foreign_key", f"add|create {words} [to|on|from|for] {{table}} on|for {{reference}}"),
            Form("foreign_key", f"add|create {words} to|on|from|for|in {{table}} {{reference}}"),
            Form("foreign_key", f"add|create {words} {{table}} {{reference}}"),
            Form("foreign_key", f"add|create {words} [on|for] {{reference}} to|in|on {{table}}"),
            Form("foreign_key", f"add|create {{table}} {{reference}} {words}"),
            Form("foreign_key", f"add|create {{reference}} {words} {_OF} {{table}}"),
            Form("foreign_key_to", f"add|create {words} [from] {{table}} to|references|referencing {{other}}"),
            Form("foreign_key_to", f"add|create {words} on {{table}} to {{other}}"),
            Form("foreign_key_to", f"add|create {words} between {{table}} and {{other}}"),
            Form("foreign_key_to", f"add|create {{table}} to {{other}} {words}"),
        )
    ),
    Form("reference", "add {reference} ref|reference to {table}"),
    Form("reference", "add ref|reference [to] {reference} to|in|on {table}"),
    Form("timestamps", "add timestamps to|on|in {table}"),
    Form("timestamps", "add timestamp columns to {table}"),
    Form("enable_rls", "enable|add rls on|for|in|to {table}"),
    Form("enable_rls", "enable|add row level security on|for|in|to {table}"),
    Form("disable_rls", "disable|remove|drop rls on|for|in|from {table}"),
    Form("disable_rls", "disable row level security on|for|in {table}"),
    Form("add_columns", "add [column|columns|field|fields] {new_columns} to {table}"),
    Form("add_columns", "add {new_columns} column|columns|field|fields to {table}"),
    Form("drop_columns", "drop|remove [column|columns|field|fields] {columns} from {table}"),
    Form("drop_columns", "drop|remove {columns} column|columns|field|fields from {table}"),
    Form("rename_column", "rename [column] {column} to {new_column} in|on|of|from|for {table}"),
    Form("rename_column", "rename {column} column to {new_column} in|on|of|from|for {table}"),
    Form("rename_column", "rename [column] {table} {column} to {new_column}", certain=False),
    Form("rename_column", "rename column {column} in|on|of|from {table} to {new_column}"),
    Form("rename_table", "rename table {table} to {new_table}"),
    Form("rename_table", "rename {table} table to {new_table}"),
    Form("rename_bare", "rename {table} to {new_table}"),
    Form("create_table", "create|add|new {new_table} table"),
    Form("create_table", "create|add|new table {new_table}"),
    Form("create_bare", "create {new_table}"),
    Form("drop_table", "drop|remove {table} table"),
    Form("drop_table", "drop|remove table {table}"),
    Form("drop_table", "drop|remove {table}", certain=False),
    Form("create_extension", "enable|create|add|install {extension} extension"),
    Form("create_extension", "enable|create|add|install extension {extension}"),
    Form("create_known_extension", "enable|install {extension}"),
    Form("drop_extension", "disable|drop|remove|uninstall {extension} extension"),
    Form("drop_extension", "disable|drop|remove|uninstall extension {extension}"),
)
"""All forms. Where several fit, what is known of the schema decides; if it does not, the body is empty."""

GRAMMAR = frozenset(
    word for form in FORMS for part in form.pattern.split() if "{" not in part for word in part.strip("[]").split("|")
)
"""The words of the forms, which name no table."""


def match(form: Form, words: tuple[str, ...]) -> Iterator[Slots]:
    """Yield each way to read words as a form: the words of its slots, none of which is empty."""
    return _match(tuple(form.pattern.split()), words)


def _match(parts: tuple[str, ...], words: tuple[str, ...]) -> Iterator[Slots]:
    if not parts:
        if not words:
            yield {}
        return
    part, rest = parts[0], parts[1:]
    if part.startswith("{"):
        needed = sum(not each.startswith("[") for each in rest)
        for end in range(1, len(words) - needed + 1):
            for slots in _match(rest, words[end:]):
                yield {part[1:-1]: words[:end], **slots}
        return
    if part.startswith("["):
        yield from _match(rest, words)
    if words and words[0] in part.strip("[]").split("|"):
        yield from _match(rest, words[1:])
