"""The tables in which other tools keep their records: no part of the schema that migrations make."""

from __future__ import annotations

import re

from tasks.catalog import Catalog, Key
from tasks.postgres.other_tools import ALEMBIC, is_tool_table

KEPT_NAME = "schema_migrations_old"
"""The name to which the schema_migrations of another tool is renamed, with 2, 3 … appended if it is taken."""
_KEPT = re.compile(rf"(?:{KEPT_NAME}|schema_migrations_before)\d*")
"""Also the name that a message proposes for a schema_migrations of an unknown tool."""


def exclude_tool_tables(live: Catalog, made: Catalog | None = None) -> Catalog:
    """Return a schema without the tables of other migration tools, and what belongs to these.

    What decides is the name of a table together with its columns. A table that migrations make is one of theirs, whatever its
    name: `made` is the schema that results from them.
    """
    own = made.objects if made is not None else {}
    tables = {key.name for key, _ in live.of_kind("table") if key not in own and _is_tool_table(live, key)}
    if not tables:
        return live
    # The sequence of a serial column keeps its name when the table is renamed.
    owners = {key.name: text.rpartition(" OWNED BY ")[2].rpartition(".")[0] for key, text in live.of_kind("sequence")}
    names = tables | {sequence for sequence, owner in owners.items() if owner in tables}
    kept = {key: text for key, text in live.list_unordered() if not _belongs(key, names)}
    return Catalog(kept, live.server_version, live.derived)


def _is_tool_table(live: Catalog, table: Key) -> bool:
    name = _strip(table.name)
    if _KEPT.fullmatch(name):
        return True
    order = live.objects.get(Key("column order", table.name), "")
    columns = frozenset(_strip(column) for column in order.split(", "))
    # In env.py, the version table of Alembic may have any name.
    return is_tool_table(name, columns) or columns == frozenset(ALEMBIC.columns)


def _strip(name: str) -> str:
    """Return a name without its schema and quotes."""
    return name.removesuffix('"').rpartition('"')[2] if name.endswith('"') else name.rpartition(".")[2]


def _belongs(key: Key, names: set[str]) -> bool:
    subject = key.name.partition(" ")[2] if key.kind == "comment" else key.name
    return subject in names or key.parent in names
