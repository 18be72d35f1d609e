"""The statements that undo a file, from the schemas before and after it."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import COLUMN_ORDER, Catalog
from tasks.generation.units import Unit
from tasks.lint.files import read_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.sql_diff import write_sql
from tasks.rehearsal.sql_diff.reasons import explain

_RENAMING = frozenset({"RenameStmt", "AlterObjectSchemaStmt"})
IRREVERSIBLE = "-- migrate: irreversible"
NOTHING = "-- Nothing to undo: the files before it undo what it changed.\n"


def write_irreversible(reason: str) -> str:
    """Return the directive of a down file that cannot be written."""
    return f"{IRREVERSIBLE} {' '.join(reason.split())}\n"


def derive_down(before: Catalog, after: Catalog) -> str:
    """Return the statements from the schema after a file to that before it, or the directive that it is irreversible."""
    undone = write_sql(after, before)
    left = [change for change in undone.by_hand if change.key.kind != COLUMN_ORDER]
    if left:
        return write_irreversible("; ".join(f"{change.key}: {explain(change)}" for change in left))
    return undone.write() if undone.statements else NOTHING


def undo_renames(units: Sequence[Unit], all_units: Sequence[Unit], down: str | None) -> str:
    """Return the statements that undo renames: those of the whole down file, which renames back in the reverse order."""
    forth = [unit.number for unit in all_units if unit.renames]
    back = [each.text for each in read_file(RehearsedMigration("down", down or "")).statements if _renames(each.kind, each.node)]
    if len(back) != len(forth):
        return write_irreversible("the statements that rename back are not known")
    texts = dict(zip(forth, reversed(back), strict=True))
    return "".join(f"{texts[unit.number]};\n" for unit in reversed(units))


def _renames(kind: str, node: object) -> bool:
    return kind in _RENAMING or (isinstance(node, dict) and "oldVal" in node)
