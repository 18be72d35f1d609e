"""Write down files from what each up file changed, and keep those that revert it on scratch."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import COLUMN_ORDER, compare
from tasks.legacy.headers import describe_version
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import write_sql

_HEAD = """\
-- Migration: {version}.sql
-- Description: {description}
-- Review: proposed from what the up file changes in the schema, and tried on an empty database. Check its effect on rows.

"""


def write_down(
    server: ScratchServer, before: Sequence[RehearsedMigration], outcome: Outcome, version: str, *, timeout_s: float | None = None
) -> str:
    """Return the down of a file that was replayed after others, or an empty text if none reverts all its changes."""
    undone = write_sql(outcome.after, outcome.before)
    if not undone.statements or any(change.key.kind != COLUMN_ORDER for change in undone.by_hand):
        return ""
    description = describe_version(version, undoes=True)
    text = _HEAD.format(version=version, description=description) + undone.write()
    migration = RehearsedMigration(outcome.migration.name, outcome.migration.up, text, outcome.migration.shown)
    with state_after(server, [*before, migration], timeout_s=timeout_s) as database:
        back = try_migration(database, migration, "down", before=outcome.after, timeout_s=timeout_s)
    return "" if back.error is not None or compare(outcome.before, back.after).without({COLUMN_ORDER}) else text
