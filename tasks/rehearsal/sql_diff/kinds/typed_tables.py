"""Tables of a row type that changes: they are plain tables on the way, so that their columns change like those of others.

The server refuses to change the type of a typed table, except with CASCADE, which no dependent object of a column survives:
https://www.postgresql.org/docs/current/sql-altertype.html, sql-altertable.html (OF, NOT OF)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.shapes import parse_table


@dataclass(frozen=True, slots=True)
class Released:
    """Two schemas without the types of such tables, the statements that remove these, and those that restore them."""

    before: Catalog
    after: Catalog
    releasing: tuple[str, ...]
    typing: tuple[str, ...]
    typed: frozenset[str]
    """The tables that get a type: it needs their columns in its order."""


def release_typed(before: Catalog, after: Catalog) -> Released:
    """Return two schemas in which the tables that are in both have no type if it is not the same in both."""
    old, new = (
        {name: type_ for name, type_ in _find_typed(catalog).items() if _changes(name, type_, before, after)}
        for catalog in (before, after)
    )
    return Released(
        _leave_types(before, old),
        _leave_types(after, new),
        tuple(f"ALTER TABLE {name} NOT OF" for name in old),
        tuple(f"ALTER TABLE {name} OF {type_}" for name, type_ in new.items()),
        frozenset(new),
    )


def _find_typed(catalog: Catalog) -> dict[str, str]:
    tables = ((key.name, parse_table(definition)) for key, definition in catalog.of_kind("table"))
    return {name: table.type for name, table in tables if table is not None and table.type is not None}


def _changes(table: str, type_: str, before: Catalog, after: Catalog) -> bool:
    key = Key("type", type_)
    is_kept = Key("table", table) in before.objects and Key("table", table) in after.objects
    return is_kept and before.objects.get(key) != after.objects.get(key)


def _leave_types(catalog: Catalog, typed: dict[str, str]) -> Catalog:
    keys = {Key("table", name): type_ for name, type_ in typed.items()}
    plain = {key: catalog.objects[key].replace(f"OF {type_}", "", 1).strip() for key, type_ in keys.items()}
    return replace(catalog, objects={**catalog.objects, **plain}) if typed else catalog
