"""Compare models with the schema that the migrations make."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import COLUMN_ORDER, Difference, compare, mask_difference
from tasks.models.events import ModelsChecked
from tasks.models.goal import open_models
from tasks.models.importing import ModelsImport
from tasks.models.names import show_table
from tasks.rehearsal.kept.schemas import NOTHING_KEPT, KeptSchemas
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import exclude_left_out
from tasks.rehearsal.scratch.server import ScratchServer


def check_models(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    started: ModelsImport,
    *,
    kept: KeptSchemas = NOTHING_KEPT,
    timeout_s: float | None = None,
) -> ModelsChecked:
    """Return how models differ from the schema after all migrations of a checkout; raises what `open_goal` does."""
    models = open_models(server, base, started, kept=kept, timeout_s=timeout_s)
    before = models.state.catalog
    wanted = models.narrow(before)
    changes = exclude_left_out(compare(before, wanted.catalog), models.state.left_out)
    left_out = (*models.state.left_out, *models.created.left_out)
    return ModelsChecked(
        started.references,
        len(models.created.models.tables),
        len(base),
        mask_difference(changes.without({COLUMN_ORDER})),
        mask_difference(Difference(wanted.left_out)),
        tuple(map(show_table, started.exclude)),
        tuple(dict.fromkeys(entry.shown for entry in left_out)),
    )
