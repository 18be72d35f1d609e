"""Tables that are no part of a comparison, with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference
from tasks.rehearsal.sql_diff.shapes import split_sequence
from tasks.runner.errors import UsageError
from tasks.runner.spelling import propose

_TABLES = frozenset({"table", "foreign table"})


def find_tables(names: Sequence[str], catalogs: Sequence[Catalog]) -> frozenset[str]:
    """Return the names of tables, which are names in SQL; raises UsageError for one that no catalog has, with the nearest."""
    known = {key.name for catalog in catalogs for key, _ in catalog.list_unordered() if key.kind in _TABLES}
    for name in names:
        if name not in known:
            hint = propose(name, sorted(known))
            raise UsageError(f"--exclude: there is no table {name}", hint=hint, state="Nothing was written.")
    return frozenset(names)


def exclude_tables(difference: Difference, tables: Collection[str]) -> Difference:
    """Return a difference without the tables, what belongs to them, and the foreign keys of other tables to them."""
    if not tables:
        return difference
    return Difference(tuple(change for change in difference.changes if not _concerns(change, tables)))


def _concerns(change: Change, tables: Collection[str]) -> bool:
    key, texts = change.key, [text for text in (change.before, change.after) if text is not None]
    if key.parent in tables or (key.kind in {*_TABLES, COLUMN_ORDER} and key.name in tables):
        return True
    if key.kind == "comment":
        return key.name.partition(" ")[2] in tables
    if key.kind == "sequence":
        return any((split_sequence(text)[1] or "").rpartition(".")[0] in tables for text in texts)
    return key.kind == "constraint" and any(f" REFERENCES {table}(" in text for text in texts for table in tables)
