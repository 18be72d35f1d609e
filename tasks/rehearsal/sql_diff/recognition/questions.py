"""The questions about renames between two schemas."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.recognition.columns import match_columns
from tasks.rehearsal.sql_diff.recognition.likeness import ALIKE, measure_likeness
from tasks.rehearsal.sql_diff.recognition.tables import find_schemas, find_tables
from tasks.rehearsal.sql_diff.renames import ENUM, LABEL, Question, read_labels
from tasks.rehearsal.sql_diff.shapes import parse_table, split_sequence

_SAME_LABELS = 0.5
"""The share of equal labels from which two enums may be the same."""


def find_questions(before: Catalog, after: Catalog) -> tuple[Question, ...]:
    """Return what may have been renamed, so that dropping it might lose rows: schemas first, and then what is in them."""
    catalogs = before, after
    lost = [key for key in before.objects if key not in after.objects]
    added = [key for key in after.objects if key not in before.objects]
    schemas = find_schemas(_select(lost, "schema"), _select(added, "schema"), catalogs)
    if any(schemas.values()):
        return _ask(schemas)
    return (
        *_ask(find_tables(_select(lost, "table"), _select(added, "table"), catalogs)),
        *_ask_columns(lost, added, catalogs),
        *_ask(_find_sequences(lost, added, catalogs)),
        *_ask(_find_types(lost, added, catalogs)),
        *_ask(_find_labels(catalogs)),
    )


def _ask(matches: dict[Key, list[Key]]) -> tuple[Question, ...]:
    return tuple(Question(key, tuple(found)) for key, found in matches.items() if found)


def _select(keys: Collection[Key], *kinds: str) -> list[Key]:
    return [key for key in keys if key.kind in kinds]


def _ask_columns(lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]) -> Iterator[Question]:
    old = [key for key in _select(lost, "column") if not _is_inherited(key, catalogs[0])]
    new = _select(added, "column")
    for table in dict.fromkeys(key.parent for key in old):
        if all(Key("table", table) in catalog.objects for catalog in catalogs):
            own = [key for key in old if key.parent == table]
            yield from _ask(match_columns(table, own, [key for key in new if key.parent == table], catalogs))


def _find_sequences(lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]) -> dict[Key, list[Key]]:
    """Return for each lost sequence without an owner those that are equal: the only one, or one with a name that is alike."""
    old, new = (
        {key: split_sequence(catalog.objects[key]) for key in _select(keys, "sequence")}
        for keys, catalog in zip((lost, added), catalogs, strict=True)
    )
    matches: dict[Key, list[Key]] = {}
    for key, (definition, owner) in old.items():
        equal = [other for other, shape in new.items() if shape == (definition, None) and owner is None]
        only = len(equal) == 1 and list(old.values()).count((definition, None)) == 1
        matches[key] = [other for other in equal if only or measure_likeness(key.name, other.name) >= ALIKE]
    return matches


def _find_types(lost: Collection[Key], added: Collection[Key], catalogs: tuple[Catalog, Catalog]) -> dict[Key, list[Key]]:
    """Return for each lost enum those that have other labels, but most of its own; equal types are renamed without a question."""
    old, new = (
        {key: set(labels) for key in _select(keys, "type") if (labels := read_labels(catalog.objects[key]))}
        for keys, catalog in zip((lost, added), catalogs, strict=True)
    )
    return {
        key: [other for other, own in new.items() if labels & own and len(labels & own) >= _SAME_LABELS * len(labels | own)]
        for key, labels in old.items()
    }


def _find_labels(catalogs: tuple[Catalog, Catalog]) -> dict[Key, list[Key]]:
    """Return for each label that an enum lost those that were added in its place, or have a name that is alike."""
    matches: dict[Key, list[Key]] = {}
    for key, text in catalogs[0].of_kind("type"):
        other = catalogs[1].objects.get(key, "")
        if text == other or not text.startswith(ENUM) or not other.startswith(ENUM):
            continue
        old, new = read_labels(text), read_labels(other)
        added = [label for label in new if label not in old]
        for label in old:
            if label not in new:
                found = [each for each in added if _is_in_place(label, each, old, new) or measure_likeness(label, each) >= ALIKE]
                matches[Key(LABEL, label, key.name)] = [Key(LABEL, each, key.name) for each in found]
    return matches


def _is_in_place(label: str, other: str, old: list[str], new: list[str]) -> bool:
    """Return True for labels between the same ones, where an enum has as many labels as before."""
    return len(old) == len(new) and old.index(label) == new.index(other)


def _is_inherited(column: Key, catalog: Catalog) -> bool:
    """Return True for a column that a parent of the table has too."""
    table = parse_table(catalog.objects.get(Key("table", column.parent), ""))
    return table is not None and any(Key("column", column.name, parent) in catalog.objects for parent in table.list_parents())
