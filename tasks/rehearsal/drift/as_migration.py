"""Write a drift as a new migration pair, and verify it on a scratch database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tasks.catalog import show_difference
from tasks.rehearsal.drift.drift import Drift, MigrationWritten
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import Pair, verify_pair, write_pair
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.new import create_migration
from tasks.runner.files.templates import MigrationText

_HEADING = "Adopt changes made outside of migrations"


def write_migration(drift: Drift, server: ScratchServer, folder: Path, name: str, *, environment: str) -> MigrationWritten:
    """Write the difference from the expected schema to the live one as a migration, and verify it.

    Raises RefusedError if the replay left out statements for lack of rights, because the migration would contain what they make;
    UsageError for an invalid name, and RunnerError if the files cannot be created.
    """
    _refuse_denied(drift)
    pairs: list[Pair] = []

    def compose(version: str) -> MigrationText:
        pair = write_pair(drift.expected, drift.live, name=version, heading=_HEADING)
        pairs.append(pair)
        return MigrationText(pair.up, pair.down)

    new = create_migration(folder, name, now=datetime.now(UTC), compose=compose)
    pair = pairs[-1]
    paths = tuple(show_path(path) for path in (new.up, new.down) if path is not None)
    by_hand = tuple(f"{change.word} {change.key}" for change in pair.written.by_hand)
    by_hand += tuple(f"in the down file: {change.word} {change.key}" for change in pair.undone.by_hand)
    return MigrationWritten(environment, new.version, paths, by_hand, _find_problem(drift, server, pair))


def _refuse_denied(drift: Drift) -> None:
    denied = [entry.shown for entry in drift.left_out if entry.denied]
    if denied:
        raise RefusedError(
            "scratch left out statements for lack of rights, so the expected schema is incomplete:\n"
            + "\n".join(f"  {shown}" for shown in denied),
            hint="Replay them with all rights of the scratch server's role, if you trust the SQL: --as-superuser",
            state="No migration was created.",
        )


def _find_problem(drift: Drift, server: ScratchServer, pair: Pair) -> str:
    """Verify the pair on scratch; return what is wrong with it, or ""."""
    try:
        differences = verify_pair(server, drift.migrations, pair, drift.live)
    except RunnerError as error:
        place = f"{error.place.file}:{error.place.line}: " if error.place and error.place.line else ""
        return f"{place}{error.message}"
    return "\n".join(line for difference in differences for line in show_difference(difference))
