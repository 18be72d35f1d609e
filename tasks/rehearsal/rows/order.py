"""In which order tables are filled: the referenced one first, and a cycle cut where it hurts least. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.rehearsal.rows.shapes import Reference, Shapes, TableToFill


def order_tables(shapes: Shapes) -> Iterator[tuple[TableToFill, tuple[Reference, ...]]]:
    """Give each table with those of its foreign keys whose target comes only after it."""
    waiting = dict(shapes.tables)
    while waiting:
        open_ = {oid: tuple(_list_open(table, waiting)) for oid, table in waiting.items()}
        ready = [oid for oid, references in open_.items() if not references]
        if not ready:
            ready = [min(waiting, key=lambda oid: _weigh(waiting[oid], open_[oid]))]
        for oid in ready:
            yield waiting.pop(oid), open_[oid]


def _list_open(table: TableToFill, waiting: dict[int, TableToFill]) -> Iterator[Reference]:
    return (reference for reference in table.references if reference.target in waiting and reference.target != table.oid)


def _weigh(table: TableToFill, references: tuple[Reference, ...]) -> tuple[int, int, str]:
    """Weigh what stands in a table's way: keys that no NULL and no deferring helps with, then those that need deferring."""
    hard = [reference for reference in references if not table.is_optional(reference)]
    return sum(not reference.deferrable for reference in hard), len(hard), table.name
