"""The downs that a file lacks, derived on scratch from what its up changed in the schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tasks.catalog import COLUMN_ORDER
from tasks.lint.model import SafeFile
from tasks.lint.rewriting.files import NOT_WRITTEN
from tasks.lint.rewriting.steps import NotRewritableError
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import write_sql

_MOVES_ROWS = re.compile(r"\b(?:insert|update|delete|truncate|merge|copy)\b", re.IGNORECASE)


def write_missing_downs(
    server: ScratchServer, base: Sequence[RehearsedMigration], version: str, files: Sequence[SafeFile], *, timeout_s: float | None
) -> tuple[SafeFile, ...]:
    """Return the files with the downs that they lack; raises NotRewritableError if one does not follow from the schema."""
    made: list[SafeFile] = []
    before = list(base)
    for number, file in enumerate(files):
        migration = RehearsedMigration(f"{version}_{number}", file.up, None, f"{version} ({file.description})")
        if NOT_WRITTEN not in file.down:
            made.append(file)
        else:
            made.append(replace(file, down=file.down.replace(NOT_WRITTEN, _derive(server, before, migration, timeout_s))))
        before.append(migration)
    return tuple(made)


def _derive(
    server: ScratchServer, base: Sequence[RehearsedMigration], migration: RehearsedMigration, timeout_s: float | None
) -> str:
    if _MOVES_ROWS.search(migration.up):
        raise NotRewritableError("it has no down file, and its rows before are not known")
    with state_after(server, base, timeout_s=timeout_s) as database:
        outcome = try_migration(database, migration, "up", timeout_s=timeout_s)
    if outcome.error is not None:
        raise NotRewritableError(f"it fails on scratch: {outcome.error.message}")
    undone = write_sql(outcome.after, outcome.before)
    by_hand = [change.key for change in undone.by_hand if change.key.kind != COLUMN_ORDER]
    if by_hand or not undone.statements:
        raise NotRewritableError(f"it has no down file, and no statement undoes {by_hand[0] if by_hand else 'what it changes'}")
    return undone.write()
