"""Tables that become partitions of one that is copied, or stop to be: they keep their rows, and only the other is copied.

They are attached after the copy, and detached before it, so that the change has a schema in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.inheritance.lineage import read_lineage
from tasks.rehearsal.sql_diff.recreation.copying import Copying, concerns, plan_copying
from tasks.rehearsal.sql_diff.recreation.recreating import ROWS, find_dependents, find_rewritten
from tasks.rehearsal.sql_diff.shapes import expand


def find_between(before: Catalog, after: Catalog) -> Catalog | None:
    """Return the schema in which such tables are apart; None if there are none, or if other tables have columns of their type."""
    tables = find_rewritten(before, after)
    below = [
        {child for table in tables for child in read_lineage(catalog).list_descendants(table)} if tables else set()
        for catalog in (before, after)
    ]
    existing = [{key.name for key, _ in catalog.of_kind("table")} for catalog in (before, after)]
    if joining := (below[1] - below[0]) & existing[0]:
        return _separate(after, before, joining)
    if leaving := (below[0] - below[1]) & existing[1]:
        return _separate(before, after, leaving)
    return None


def list_copies(before: Catalog, after: Catalog) -> Iterator[Copying]:
    """Yield how tables are created again with their rows, in each stage of a change."""
    between = find_between(before, after)
    if between is not None:
        yield from list_copies(before, between)
        yield from list_copies(between, after)
    elif copying := plan_copying(before, after):
        yield copying


def _separate(attached: Catalog, alone: Catalog, tables: set[str]) -> Catalog | None:
    """Return the schema in which tables are attached with these, and what depends on them, as where they are alone."""
    dependents = [find_dependents(expand(catalog), tables, read_lineage(catalog)) for catalog in (attached, alone)]
    if any(key.kind in ROWS and (key.parent or key.name) not in tables for each in dependents for key in each):
        return None
    objects = {key: text for key, text in attached.objects.items() if not concerns(key, dependents[0], tables)}
    objects |= {key: text for key, text in alone.objects.items() if concerns(key, dependents[1], tables)}
    derived = {key: text for key, text in attached.derived.items() if _find_table(key) not in tables}
    derived |= {key: text for key, text in alone.derived.items() if _find_table(key) in tables}
    return replace(attached, objects=objects, derived=derived)


def _find_table(key: Key) -> str:
    return key.parent or key.name
