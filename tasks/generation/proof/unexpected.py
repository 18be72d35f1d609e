"""Rows and values that are lost on scratch, and that no known loss is about."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import Catalog, Key
from tasks.generation.losses import SchemaLoss
from tasks.generation.proof.kept_rows import rename_table
from tasks.generation.proof.proving import UnprovedError
from tasks.rehearsal.rows import LostRows
from tasks.rehearsal.sql_diff.answers import Renaming
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.inheritance.lineage import read_lineage
from tasks.rehearsal.sql_diff.recreation.carrying import find_users
from tasks.rehearsal.sql_diff.renames import LABEL
from tasks.rehearsal.sql_diff.shapes import expand


def refuse_unexpected(lost: Sequence[LostRows], losses: Sequence[SchemaLoss], renaming: Renaming) -> None:
    """Raise RefusedError if rows or values were lost on scratch, after up and down, in a table that no known loss is about."""
    known = _list_tables(losses, renaming.renamed)
    unexpected = [f"  {each.text}" for each in lost if rename_table(each.table, renaming.renames) not in known]
    if unexpected:
        raise UnprovedError("up followed by down loses rows or values:\n" + "\n".join(unexpected))


def _list_tables(losses: Sequence[SchemaLoss], before: Catalog) -> set[str]:
    """Return the tables that losses are about: the rows of a partition are rows of its parents too, and the reverse."""
    keys = [Key("type", loss.key.parent) if loss.key.kind == LABEL else loss.key for loss in losses]
    tables = {key.name if key.kind == "table" else key.parent for key in keys if key.kind in {"table", "column"}}
    if types := [key for key in keys if key.kind in {"type", "domain"}]:
        schema = Schema(expand(before))
        tables |= {column.parent for key in types for column in find_users(key, schema)}
    lineage = read_lineage(before)
    return tables | {each for name in tables for each in (*lineage.list_ancestors(name), *lineage.list_descendants(name))}
