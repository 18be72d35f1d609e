"""The order in which tables are filled: referenced tables first; cycles are broken at nullable or deferrable keys."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.rehearsal.rows.shapes import Reference, Shapes, TableToFill


def order_tables(shapes: Shapes) -> Iterator[tuple[TableToFill, tuple[Reference, ...]]]:
    """Yield each table with those of its foreign keys whose target comes after it."""
    waiting = dict(shapes.tables)
    while waiting:
        open_ = {oid: tuple(_list_open(table, waiting)) for oid, table in waiting.items()}
        ready = [oid for oid, references in open_.items() if not references]
        if not ready:
            ready = [min(waiting, key=lambda oid: _rank(waiting[oid], open_[oid]))]
        for oid in ready:
            yield waiting.pop(oid), open_[oid]


def _list_open(table: TableToFill, waiting: dict[int, TableToFill]) -> Iterator[Reference]:
    return (reference for reference in table.references if reference.target in waiting and reference.target != table.oid)


def _rank(table: TableToFill, references: tuple[Reference, ...]) -> tuple[int, int, str]:
    """Return a sort key: the number of keys that are neither nullable nor deferrable, then of those that are not nullable."""
    hard = [reference for reference in references if not table.is_optional(reference)]
    return sum(not reference.deferrable for reference in hard), len(hard), table.name
