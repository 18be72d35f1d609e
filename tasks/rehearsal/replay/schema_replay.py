"""The schema that migrations make, as SQL: a dump of their replay on scratch, so that no other database has a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.catalog import Catalog, read_catalog
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.dump import dump_scratch
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect


@dataclass(frozen=True, slots=True)
class ReplayedSchema:
    """The schema after migrations, as a catalog and as SQL, and the statements that would have made more of it."""

    catalog: Catalog
    text: str
    left_out: tuple[LeftOut, ...]


def replay_schema(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], *, timeout_s: float | None = None
) -> ReplayedSchema:
    """Replay migrations in this order; raises RunnerError for the first that fails, and LackError for what the server lacks."""
    with state_after(server, migrations, timeout_s=timeout_s) as scratch:
        left_out = tuple(entry for entry in read_left_out(scratch) if entry.text)
        lacking = [NotChecked(entry.shown, entry.lack) for entry in left_out if entry.lack]
        what = "the complete schema is not known"
        refuse_lacks(lacking, server.version, embedded=server.embedded, what=what, skippable=False)
        with connect(scratch.url, name="migrate-drift") as connection:
            catalog = read_catalog(connection)
        return ReplayedSchema(catalog, dump_scratch(scratch), left_out)
