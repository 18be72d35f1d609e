"""Run a migration on tables that have rows: find errors, and data that down does not restore."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from tasks.rehearsal.events import RehearsalFinding
from tasks.rehearsal.findings import find_error
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import run_migration
from tasks.rehearsal.rows import compare_rows, fill_tables, read_rows
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.database.session import connect

_LOSS_HINT = (
    "Keep the data (for example in another table), or mark the migration as irreversible in its down file:\n"
    "-- migrate: irreversible REASON"
)


@dataclass(frozen=True, slots=True)
class RowTrial:
    """The findings of a run on tables with rows, and the tables that got none."""

    findings: tuple[RehearsalFinding, ...]
    unfilled: tuple[str, ...]


def try_with_rows(
    state: AbstractContextManager[ScratchDatabase], migration: RehearsedMigration, *, down: bool, timeout_s: float | None = None
) -> RowTrial:
    """Fill all tables in the state before a migration, run it up and, if `down`, down, and compare the rows."""
    with state as database:
        with connect(database.url, name="migrate-rows") as connection:
            unfilled = tuple(f"{each.table}: no rows were generated: {each.reason}" for each in fill_tables(connection))
            expected = read_rows(connection)
        error = run_migration(database, migration, "up", timeout_s=timeout_s)
        if error is not None:
            found = find_error("up_fails_on_rows", "up fails when the tables have rows", error, database.server.url)
            return RowTrial((found,), unfilled)
        if not down:
            return RowTrial((), unfilled)
        error = run_migration(database, migration, "down", timeout_s=timeout_s)
        if error is not None:
            found = find_error("down_fails_on_rows", "down fails when the tables have rows", error, database.server.url)
            return RowTrial((found,), unfilled)
        with connect(database.url, name="migrate-rows") as connection:
            lost = tuple(each.text for each in compare_rows(expected, read_rows(connection)))
    if not lost:
        return RowTrial((), unfilled)
    finding = RehearsalFinding("rows_lost", "up followed by down loses rows or values", hint=_LOSS_HINT, diff=lost)
    return RowTrial((finding,), unfilled)
