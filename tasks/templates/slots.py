"""What the words of a slot name: a table, a new table, new columns, or the columns of a foreign key."""

from __future__ import annotations

from tasks.templates import forms
from tasks.templates.forms import DOT, Form
from tasks.templates.known_schema import KnownSchema, KnownTable, pluralize
from tasks.templates.vocabulary import (
    KINDS,
    NEVER_COLUMNS,
    NOT_COLUMNS,
    NOT_TABLES,
    PREPOSITIONS,
    SHARED_BY_COLUMNS,
    WITHOUT_TYPE,
)

KNOWN, _VARIANT, _PLURAL, _PREPOSITION = 4, 3, 1, -2
"""How much a part of a reading speaks for it: a known table, its plural or singular, a plural, a preposition in a name."""


class UnfitError(Exception):
    """Words cannot be meant so."""


def find_table(words: tuple[str, ...], known: KnownSchema) -> tuple[KnownTable, int]:
    """Return the table that words name, and how certain that is."""
    if words[-1:] == ("table",) and not known.find_tables("_".join(words)):
        words = words[:-1]
    if words[:1] in (("table",), ("column",)) and not known.find_tables("_".join(words)):
        raise UnfitError
    if DOT in words:
        return _find_qualified(words, known), KNOWN
    for found, points in ((known.find_tables("_".join(words)), KNOWN), (known.find_variants("_".join(words)), _VARIANT)):
        usual = tuple(table for table in found if table.schema in ("", "public"))
        chosen = found if len(found) == 1 else usual
        if len(chosen) == 1:
            return chosen[0], points
        if found:
            raise UnfitError
    if not words or PREPOSITIONS & set(words) or words[-1] in KINDS or words[-1].isdigit() or "and" in words:
        raise UnfitError
    return KnownTable("", "_".join(words)), weigh(words)


def _find_qualified(words: tuple[str, ...], known: KnownSchema) -> KnownTable:
    dot = words.index(DOT)
    schema, name = "_".join(words[:dot]), "_".join(words[dot + 1 :])
    if not schema or not name or DOT in words[dot + 1 :]:
        raise UnfitError
    exact = [table for table in known.tables if (table.schema.lower(), table.name.lower()) == (schema, name)]
    return exact[0] if len(exact) == 1 else KnownTable(schema, name)


def weigh(words: tuple[str, ...]) -> int:
    """Return how much the form of words speaks for the name of a table."""
    return (_PLURAL if is_plural(words) else 0) + (_PREPOSITION if PREPOSITIONS & set(words) else 0)


def is_plural(words: tuple[str, ...]) -> bool:
    """Return True if the last word looks like an English plural."""
    return words[-1] in ("people", "children") or (words[-1].endswith("s") and not words[-1].endswith(("ss", "us", "is")))


def name_table(form: Form, words: tuple[str, ...], known: KnownSchema) -> tuple[str, ...]:
    """Return the name of a new table, after its schema if there is one; raises UnfitError where it may be another object."""
    words = words[:-1] if words[-1] == "table" else words
    if not words or words[0] == "table" or "and" in words:
        raise UnfitError
    is_bare = form.change in ("create_bare", "rename_bare")
    is_taken = bool(known.find_tables("_".join(word for word in words if word != DOT)))
    if (is_taken and form.change != "create_table") or (is_bare and not is_plural(words)):
        raise UnfitError
    if words[0] in PREPOSITIONS or (words[0] in KINDS and PREPOSITIONS & set(words)):
        raise UnfitError
    if form.change == "create_bare" and ((KINDS | {"foreign", "primary"}) & set(words) or words[0] in NOT_TABLES):
        raise UnfitError
    if DOT not in words:
        return ("_".join(words),)
    table = _find_qualified(words, known)
    return (table.schema, table.name)


def split_new(slot: str, words: tuple[str, ...], known: KnownSchema) -> tuple[str, ...]:
    """Return the names of new columns; raises UnfitError for words that mean something else."""
    names = split_list(words)
    if slot == forms.NEW_COLUMN and len(names) > 1:
        names = ("_".join(words),)
    if DOT in words or len(set(names)) < len(names) or (len(names) > 1 and SHARED_BY_COLUMNS & set(names)):
        raise UnfitError
    for name in names:
        parts = name.split("_")
        is_other = "and" in parts or name in NEVER_COLUMNS or {parts[0], parts[-1]} & NOT_COLUMNS
        is_constraint = name.startswith(("foreign_key", "primary_key", "not_null")) or name.endswith(
            ("foreign_key", "primary_key")
        )
        if not name or is_other or is_constraint:
            raise UnfitError
        if slot == forms.NEW_COLUMNS and (parts[-1] in WITHOUT_TYPE or known.find_tables(name) or known.find_variants(name)):
            raise UnfitError
    return names


def split_list(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a list whose parts are joined by `and`."""
    return tuple("_".join(words).split("_and_"))


def singularize(words: str) -> str:
    """Return the singular of words in snake_case, or the words if they are not a regular plural."""
    start, _, last = words.rpartition("_")
    irregular = {"people": "person", "children": "child"}
    tries = (irregular.get(last, ""), f"{last[:-3]}y", last[:-2], last[:-1])
    single = next((each for each in tries if each and pluralize(each) == last), last)
    return f"{start}_{single}" if start else single
