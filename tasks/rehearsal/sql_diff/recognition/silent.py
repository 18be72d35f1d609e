"""What only has another name: renaming it loses nothing, and is cheaper than dropping and creating it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.dependencies import find_referenced
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.recognition.likeness import measure_likeness
from tasks.rehearsal.sql_diff.renames import ObjectRename, name_identity_sequence
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table, split_sequence

_NAMED_PARTS = 180000
"""Older servers name the foreign keys to the partitions of a table as they name one without a name."""
_USUAL_NAME = re.compile(r"_fkey\d*\"?$")


def find_silent_types(before: Catalog, after: Catalog) -> tuple[ObjectRename, ...]:
    """Return the types and domains that only have another name; columns and functions are compared once they have it."""
    return tuple(_pair(before, after, ("type", "domain")))


def find_silent(before: Catalog, after: Catalog) -> tuple[ObjectRename, ...]:
    """Return the indexes, constraints, owned sequences and generated columns that only have another name."""
    return (*_find_identities(before, after), *_pair(before, after, ("index", "constraint", "sequence", "column")))


def _pair(before: Catalog, after: Catalog, kinds: tuple[str, ...]) -> Iterator[ObjectRename]:
    """Yield the renames of lost objects to added ones that are equal, to the one with the likeliest name first."""
    added: dict[tuple[str, str, str], list[Key]] = {}
    for key, text in after.objects.items():
        if key.kind in kinds and key not in before.objects and (shape := _describe(key, text, after)):
            added.setdefault((key.kind, key.parent, shape), []).append(key)
    for key, text in before.objects.items():
        found = added.get((key.kind, key.parent, _describe(key, text, before))) if key.kind in kinds else None
        if found and key not in after.objects:
            new = max(found, key=lambda other: measure_likeness(key.name, other.name))
            found.remove(new)
            if not _may_be_taken(new.name, text, before):
                yield ObjectRename(key, new)


def _may_be_taken(name: str, definition: str, catalog: Catalog) -> bool:
    """Return True if the server may use a name for the foreign key to a partition, which no catalog lists."""
    referenced = find_referenced(definition)
    if referenced is None or catalog.server_version >= _NAMED_PARTS or not _USUAL_NAME.search(name):
        return False
    table = parse_table(catalog.objects.get(Key("table", referenced), ""))
    return table is not None and table.partitioned is not None


def _describe(key: Key, definition: str, catalog: Catalog) -> str:
    """Return the definition without the name; empty for what is not renamed without a question."""
    if key.kind == "sequence":
        owner = split_sequence(definition)[1]
        return owner or ""
    if key.kind == "column":
        column = parse_column(definition)[0]
        return definition if column.expression is not None and Key("table", key.parent) in catalog.objects else ""
    if key.kind == "index" and Key("constraint", last_part(key.name), key.parent) in catalog.objects:
        return ""
    name = f"INDEX {last_part(key.name)} ON"
    return definition.replace(name, "INDEX ON", 1).replace(f"ALTER INDEX {key.name} ", "ALTER INDEX ")


def _find_identities(before: Catalog, after: Catalog) -> Iterator[ObjectRename]:
    """Yield the sequences of identity columns that have another name."""
    for key, _ in before.of_kind("column"):
        names = [name_identity_sequence(key, catalog) for catalog in (before, after)]
        if names[0] and names[1] and names[0] != names[1]:
            yield ObjectRename(Key("sequence", names[0]), Key("sequence", names[1]))
