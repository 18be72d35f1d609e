"""Running a migration on tables that hold rows: what it fails on, and what its down does not bring back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.rehearsal.events import Found
from tasks.rehearsal.model import Piece
from tasks.rehearsal.replay.replay import run_piece, state_after
from tasks.rehearsal.rows import compare_rows, fill_tables, read_rows
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.verify.findings import find_error
from tasks.runner.database.session import connect

_LOSS_HINT = (
    "Keep what goes (for example in a table beside it), or say in the down file that it is lost:\n-- migrate: irreversible REASON"
)


@dataclass(frozen=True, slots=True)
class RowTrial:
    """Tell what rows brought to light, and which tables got none."""

    findings: tuple[Found, ...]
    unfilled: tuple[str, ...]


def try_with_rows(
    server: ScratchServer, before: Sequence[Piece], piece: Piece, *, down: bool, timeout_s: float | None = None
) -> RowTrial:
    """Fill every table that stands before a piece, run it up and, where there is a `down`, back, and look for what is lost."""
    with state_after(server, before, timeout_s=timeout_s) as database:
        with connect(database.url, name="migrate-rows") as connection:
            unfilled = tuple(f"{each.table}: no rows were made: {each.reason}" for each in fill_tables(connection))
            expected = read_rows(connection)
        error = run_piece(database, piece, "up", timeout_s=timeout_s)
        if error is not None:
            found = find_error("up_fails_on_rows", "up fails where the tables hold rows", error, server.url)
            return RowTrial((found,), unfilled)
        if not down:
            return RowTrial((), unfilled)
        error = run_piece(database, piece, "down", timeout_s=timeout_s)
        if error is not None:
            found = find_error("down_fails_on_rows", "down fails where the tables hold rows", error, server.url)
            return RowTrial((found,), unfilled)
        with connect(database.url, name="migrate-rows") as connection:
            lost = tuple(compare_rows(expected, read_rows(connection)))
    if not lost:
        return RowTrial((), unfilled)
    return RowTrial((Found("rows_lost", "up and down together lose rows or values", hint=_LOSS_HINT, diff=lost),), unfilled)
