"""Write down files from what each up file changed, and keep those that revert it on scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.catalog import COLUMN_ORDER, compare
from tasks.legacy.headers import describe_version
from tasks.legacy.verdicts import describe_failure, moves_rows
from tasks.legacy.watching import read_all_rows
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.rows.contents import Contents
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import write_sql

_HEAD = """\
-- Migration: {version}.sql
-- Description: {description}
-- Review: proposed from what the up file changes in the schema, and tried on an empty database. Check its effect on rows.
"""
_LOSES = "-- Rows: it does not restore the rows of {}.\n"
_WITH_ROWS = ("table", "column", "materialized view")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ProposedDown:
    """The text of a down, or why there is none."""

    text: str = ""
    lack: str = ""
    loses: str = ""
    """The rows that a down does not restore; empty if it restores all that the up file changed on scratch."""


def write_down(
    server: ScratchServer, before: Sequence[RehearsedMigration], outcome: Outcome, version: str, *, timeout_s: float | None = None
) -> ProposedDown:
    """Return the down of a file that was replayed after others, if it reverts all changes of its schema."""
    if outcome.unchecked:
        return ProposedDown(lack=f"the file was not replayed completely: {outcome.unchecked[0]}")
    if not outcome.effect:
        return ProposedDown(lack="the file changes only rows, and their values before are not known")
    undone = write_sql(outcome.after, outcome.before)
    by_hand = [change.key for change in undone.by_hand if change.key.kind != COLUMN_ORDER]
    if by_hand or not undone.statements:
        return ProposedDown(lack=f"no statement reverts the change of {by_hand[0] if by_hand else 'the order of columns'}")
    statements = undone.write()
    up = outcome.migration
    migration = RehearsedMigration(up.name, up.up, statements, up.shown)
    with state_after(server, [*before, migration], timeout_s=timeout_s) as database:
        back = try_migration(database, migration, "down", before=outcome.after, timeout_s=timeout_s)
        rows = read_all_rows(database) if back.error is None and _changes_rows(up.up) else {}
    if back.error is not None:
        return ProposedDown(lack=f"the down that follows from its changes fails: {describe_failure(back.error)}")
    left = compare(outcome.before, back.after).without({COLUMN_ORDER})
    if left:
        return ProposedDown(lack=f"the down that follows from its changes does not revert {left.changes[0].key}")
    loses = _describe_loss(server, before, outcome, rows, timeout_s)
    head = _HEAD.format(version=version, description=describe_version(version, undoes=True))
    return ProposedDown(f"{head}{_LOSES.format(loses) if loses else ''}\n{statements}", loses=loses)


def _describe_loss(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    outcome: Outcome,
    rows: Mapping[str, Contents],
    timeout_s: float | None,
) -> str:
    """Return the tables and columns whose rows a down does not restore; `rows` are those after it, if the file changes rows."""
    dropped = [str(change.key) for change in outcome.effect.changes if change.after is None and change.key.kind in _WITH_ROWS]
    if dropped or not _changes_rows(outcome.migration.up):
        return ", ".join(dropped[:_SHOWN])
    with state_after(server, before, timeout_s=timeout_s) as database:
        previous = read_all_rows(database)
    changed = [f"table {name}" for name in sorted(previous.keys() | rows.keys()) if previous.get(name) != rows.get(name)]
    return ", ".join(changed[:_SHOWN])


def _changes_rows(text: str) -> bool:
    return moves_rows(text) or "insert" in text.lower()
