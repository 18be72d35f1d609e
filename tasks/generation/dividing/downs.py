"""The statements that undo a file, from the schemas before and after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER, Catalog, compare
from tasks.generation.dividing.units import Unit, is_rename
from tasks.lint.files import read_file
from tasks.postgres.tokens import NAME
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.sql_diff import write_sql
from tasks.rehearsal.sql_diff.dependencies import find_referenced
from tasks.rehearsal.sql_diff.details.finding import find_details
from tasks.rehearsal.sql_diff.reasons import explain
from tasks.rehearsal.sql_diff.shapes import parse_table

IRREVERSIBLE = "-- migrate: irreversible"
NOTHING = "-- Nothing to undo: the files before it undo what it changed.\n"
_BUILD = re.compile(rf"^(?P<create>CREATE (?:UNIQUE )?INDEX )(?P<rest>{NAME} ON (?P<table>{NAME}\.{NAME}) )", re.MULTILINE)


def write_irreversible(reason: str) -> str:
    """Return the directive of a down file that cannot be written."""
    return f"{IRREVERSIBLE} {' '.join(reason.split())}\n"


def derive_down(before: Catalog, after: Catalog) -> str:
    """Return the statements from the schema after a file to that before it, or the directive that it is irreversible."""
    undone = write_sql(*_narrow(after, before), recreate=True)
    left = [change for change in undone.by_hand if change.key.kind != COLUMN_ORDER]
    if left:
        return write_irreversible("; ".join(f"{change.key}: {explain(change)}" for change in left))
    return _spare_locks(undone.write(), after) if undone.statements else NOTHING


def _spare_locks(down: str, catalog: Catalog) -> str:
    """Return statements that build and drop the indexes of existing tables without keeping out their writers."""
    tables = {key.name: parse_table(text) for key, text in catalog.of_kind("table")}

    def build(match: re.Match[str]) -> str:
        table = tables.get(match["table"])
        return f"{match['create']}CONCURRENTLY {match['rest']}" if table is not None and not table.partitioned else match[0]

    return _BUILD.sub(build, down)


def undo_renames(units: Sequence[Unit], all_units: Sequence[Unit], down: str | None) -> str:
    """Return the statements that undo renames: those of the whole down file, which renames back in the reverse order."""
    forth = [unit.number for unit in all_units if unit.renames]
    back = [each.text for each in read_file(RehearsedMigration("down", down or "")).statements if is_rename(each)]
    if len(back) != len(forth):
        return write_irreversible("the statements that rename back are not known")
    texts = dict(zip(forth, reversed(back), strict=True))
    return "".join(f"{texts[unit.number]};\n" for unit in reversed(units))


def _narrow(first: Catalog, second: Catalog) -> tuple[Catalog, Catalog]:
    """Return two schemas without the tables that differ in nothing, which is most of the work of a large schema.

    Both are complete if something other than a table and its parts differs, or if such a table has a parent or a child.
    """
    keys = [*(change.key for change in compare(first, second).changes), *find_details(first, second)]
    changed = {key.parent or key.name for key in keys}
    tables = {key.name: text for each in (first, second) for key, text in each.of_kind("table")}
    needed = {name for name in tables if name in changed}
    if changed - needed:
        return first, second
    for each in (first, second):
        referenced = ((key.parent, find_referenced(text)) for key, text in each.of_kind("constraint"))
        needed |= {target for table, target in referenced if target and table in changed}
    shapes = {name: parse_table(tables[name]) for name in needed if name in tables}
    if any(shape is None or shape.attachments or shape.partitioned for shape in shapes.values()):
        return first, second
    others = tables.keys() - needed

    def narrow(catalog: Catalog) -> Catalog:
        kept = {key: text for key, text in catalog.objects.items() if key.parent not in others and key.name not in others}
        return replace(catalog, objects=kept)

    return narrow(first), narrow(second)
