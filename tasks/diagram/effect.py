"""The schema before and after pending migrations, from a rehearsal on scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.catalog import Catalog, Difference, compare, read_catalog
from tasks.rehearsal.drift.drift import choose_texts
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.events import CatalogRead
from tasks.runner.files.checkout import Migrations


@dataclass(frozen=True, slots=True)
class Effect:
    """What migrations do to a schema, and the statements of theirs that could not be rehearsed."""

    after: Catalog
    changes: Difference
    unchecked: tuple[str, ...] = ()


def rehearse_effect(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    pending: Sequence[RehearsedMigration],
    *,
    timeout_s: float | None = None,
) -> Effect:
    """Return what pending migrations do after others; raises RunnerError for the first that fails, and for what scratch lacks."""
    start, _ = _replay(server, before, timeout_s)
    after, unchecked = _replay(server, [*before, *pending], timeout_s)
    return Effect(after, compare(start, after), unchecked)


def list_applied(read: CatalogRead, selection: Selection, files: Migrations) -> list[RehearsedMigration]:
    """Return the applied texts in the order of their history, or the files if the ledger does not have all texts."""
    try:
        return list(choose_texts(read.scripts, files, read.unknown, environment=read.environment))
    except RunnerError:
        return [migration for migration in selection.migrations if migration.name in selection.applied]


def _replay(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], timeout_s: float | None
) -> tuple[Catalog, tuple[str, ...]]:
    with state_after(server, migrations, timeout_s=timeout_s) as scratch:
        left_out = read_left_out(scratch)
        lacking = [NotChecked(entry.shown, entry.lack) for entry in left_out if entry.lack]
        refuse_lacks(lacking, server.version, embedded=server.embedded, what="nothing was drawn")
        with connect(scratch.url, name="migrate-drift") as connection:
            return read_catalog(connection), tuple(entry.shown for entry in left_out)
