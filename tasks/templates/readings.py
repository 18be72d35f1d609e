"""What the name of a migration means: the forms that fit it, judged by what the migrations of the checkout create."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tasks.postgres.quoting import MAX_NAME_BYTES, quote_identifier
from tasks.runner.files.versions import to_snake_case
from tasks.templates import forms
from tasks.templates.forms import DOT, FORMS, Form, Slots, match
from tasks.templates.known_schema import KnownSchema, KnownTable
from tasks.templates.object_names import name_foreign_key, name_index, name_unique
from tasks.templates.slots import (
    KNOWN,
    UnfitError,
    find_table,
    is_plural,
    name_table,
    singularize,
    split_list,
    split_new,
    weigh,
)
from tasks.templates.vocabulary import INDEX_WORDS, NOT_COLUMNS, PREPOSITIONS, find_extension

_CHANGES = {
    "create_bare": "create_table",
    "rename_bare": "rename_table",
    "create_known_extension": "create_extension",
    "foreign_key_to": "foreign_key",
}
_NOT_PARTITIONED = frozenset({"index", "unique_index", "unique", "foreign_key", "reference"})
_ADDING = frozenset({"add_columns", "rename_column", "reference", "timestamps"})
_COMPOSERS = {"index": name_index, "unique_index": name_index, "unique": name_unique, "foreign_key": name_foreign_key}
_NAME_DOT = re.compile(r"(?<=\w)\.(?=\w)")
_COMMA = re.compile(r"\s*,\s*(?:and\s+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """A change, and what it changes."""

    change: str
    table: KnownTable | None = None
    columns: tuple[str, ...] = ()
    new_names: tuple[str, ...] = ()
    other: KnownTable | None = None
    extension: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    reading: Reading
    score: int = 0
    refuted: str = ""
    """Why the known tables contradict it: a reading that fits worse is then not meant either."""


def read_name(name: str, known: KnownSchema) -> Reading | str:
    """Return what a name means; a text if nothing fits, or if several readings fit equally well: the reason, if there is one.

    The name is that of the command: it may have dots (auth.users), which the description of a version cannot have.
    """
    words = split_words(name)
    if not name.isascii():
        return "a version has ASCII letters only, so the name may not be that of the table or column"
    judged = list(_judge_all(words, known))
    best = max((each.score for each in judged if not each.refuted), default=0)
    refuted = max((each for each in judged if each.refuted), key=lambda each: each.score, default=None)
    if refuted is not None and refuted.score > best:
        return refuted.refuted
    found: list[Reading] = []
    for each in judged:
        if each.score == best and not each.refuted and each.reading not in found:
            found.append(each.reading)
    return found[0] if len(found) == 1 else ""


def split_words(name: str) -> tuple[str, ...]:
    """Return the words of a name: a dot within it is a word of its own, a comma is an `and`, `concurrently` is left out."""
    stem = re.sub(r"\.sql\Z", "", name.strip(), flags=re.IGNORECASE)
    words = to_snake_case(_COMMA.sub(" and ", _NAME_DOT.sub(f" {DOT} ", stem))).split("_")
    return tuple(word for word in words if word != "concurrently")


def _judge_all(words: tuple[str, ...], known: KnownSchema) -> Iterator[_Judged]:
    for form in FORMS:
        for slots in match(form, words):
            try:
                yield _judge(form, slots, known)
            except UnfitError:
                continue


def _judge(form: Form, slots: Slots, known: KnownSchema) -> _Judged:
    """Return a reading with its score; raises UnfitError for one that cannot be meant."""
    judged = _Judged(Reading(_CHANGES.get(form.change, form.change)))
    for slot, words in slots.items():
        judged = _read_slot(form, judged, slot, words, known)
    reading = judged.reading
    if not form.certain and (reading.table is None or reading.table not in known.tables):
        raise UnfitError
    if form.change == "rename_bare":
        _require_table(reading, known)
    if form.change == "foreign_key_to":
        reading = _read_reference_to(reading, reading.other)
    if reading.change == "reference":
        reading = replace(reading, columns=(), new_names=reading.columns)
    reading = _check_columns(form, reading)
    if contradiction := _find_contradiction(reading):
        return replace(judged, refuted=contradiction)
    if reading.change in ("foreign_key", "reference"):
        _check_reference(reading)
    if form.certain or reading.change in ("drop_table", "rename_table") or _has_columns(reading):
        return replace(judged, reading=reading)
    raise UnfitError


def _read_slot(form: Form, judged: _Judged, slot: str, words: tuple[str, ...], known: KnownSchema) -> _Judged:
    reading, score = judged.reading, judged.score
    if slot in (forms.TABLE, forms.OTHER):
        table, points = find_table(words, known)
        changed = replace(reading, table=table) if slot == forms.TABLE else replace(reading, other=table)
        return _Judged(changed, score + points)
    if slot == forms.NEW_TABLE:
        return _Judged(replace(reading, new_names=name_table(form, words, known)), score + weigh(words))
    if slot == forms.EXTENSION:
        extension = find_extension("_".join(words), named_as_extension=form.change != "create_known_extension")
        if not extension or DOT in words:
            raise UnfitError
        return _Judged(replace(reading, extension=extension), score)
    if slot == forms.REFERENCE:
        return _read_reference(judged, words, known)
    if slot in (forms.NEW_COLUMN, forms.NEW_COLUMNS):
        return _Judged(replace(reading, new_names=split_new(slot, words, known)), score)
    return _Judged(replace(reading, columns=("_".join(words),)), score)


def _require_table(reading: Reading, known: KnownSchema) -> None:
    """Raise UnfitError unless a name without the word table renames one: it is known, or nothing is and it is a plural."""
    table = reading.table
    if table not in known.tables and (known.has_tables or table is None or not is_plural(tuple(table.name.split("_")))):
        raise UnfitError


def _check_columns(form: Form, reading: Reading) -> Reading:
    """Return a reading with the columns that its words name; raises UnfitError for words that name something else."""
    table = reading.table
    known = None if table is None else table.columns
    columns = reading.columns
    if len(columns) == 1 and "{columns}" in form.pattern and not (table is not None and table.find_column(columns[0])):
        columns = split_list(tuple(columns[0].split("_")))
    for name in columns:
        parts = name.split("_")
        is_method = reading.change in ("index", "unique_index") and parts[0] in INDEX_WORDS
        is_other = parts[0] in PREPOSITIONS or "and" in parts or {parts[0], parts[-1]} & NOT_COLUMNS
        unlikely = known is None and (is_method or is_other)
        if unlikely or DOT in parts or not name:
            raise UnfitError
    if any(len(name.encode()) > MAX_NAME_BYTES for name in (*columns, *reading.new_names, table.name if table else "")):
        raise UnfitError
    found = tuple(table.find_column(name) or name for name in columns) if table is not None else columns
    return replace(reading, columns=found)


def _find_contradiction(reading: Reading) -> str:
    """Return why a known table cannot be changed so: it lacks a column, or has already what a reading adds; or an empty text.

    A partitioned table has no CREATE INDEX CONCURRENTLY, and before PostgreSQL 18 no foreign key that is NOT VALID:
    https://www.postgresql.org/docs/17/sql-altertable.html
    """
    table, columns = reading.table, reading.columns
    if table is None or table.columns is None:
        return ""
    if table.partitioned and reading.change in _NOT_PARTITIONED:
        return f"{table.sql} is partitioned, so it has no CONCURRENTLY, and before PostgreSQL 18 no NOT VALID"
    for column in columns:
        if column not in table.columns:
            return f"no migration creates the column {quote_identifier(column)} of {table.sql}"
    added = ("created_at", "updated_at") if reading.change == "timestamps" else reading.new_names
    for column in added if reading.change in _ADDING else ():
        if table.find_column(column):
            return f"{table.sql} already has the column {quote_identifier(column)}"
    compose = _COMPOSERS.get(reading.change)
    if compose is not None and (name := compose(table.name, *columns)) in table.names:
        return f"{table.sql} already has {quote_identifier(name)}"
    if reading.change == "not_null" and columns[0] in table.required:
        return f"{quote_identifier(columns[0])} of {table.sql} is already NOT NULL"
    return ""


def _has_columns(reading: Reading) -> bool:
    return reading.table is not None and reading.table.columns is not None


def _read_reference(judged: _Judged, words: tuple[str, ...], known: KnownSchema) -> _Judged:
    """Return a reading with the column of a foreign key, and the table to which it refers, which must be known."""
    name = "_".join(words)
    target = name.removesuffix("_id")
    found = (known.find_tables(target) or known.find_variants(target)) if target not in ("", "id") else ()
    if len(found) != 1:
        raise UnfitError
    reading = judged.reading
    column = name if name.endswith("_id") else f"{singularize(target)}_id"
    return _Judged(replace(reading, other=found[0], columns=(column,)), judged.score + KNOWN)


def _read_reference_to(reading: Reading, other: KnownTable | None) -> Reading:
    if other is None:
        raise UnfitError
    return replace(reading, columns=(f"{singularize(other.name)}_id",))


def _check_reference(reading: Reading) -> None:
    """Raise UnfitError unless both tables are known, and the column can refer to the one column of a primary key."""
    table, other = reading.table, reading.other
    if table is None or other is None or table.columns is None or other.columns is None or len(other.key) != 1:
        raise UnfitError
    target = other.columns.get(other.key[0], "")
    types = {target, *(table.columns[name] for name in reading.columns)}
    if not target or ("uuid" in types and len(types) > 1):
        raise UnfitError
