"""Models as a goal: the schema that `db.new` writes a migration to, and that `db.check-models` compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tasks.catalog import Catalog, compare
from tasks.generation.goal import Goal, WantedSchema
from tasks.generation.states import read_state
from tasks.models.creating import CreatedModels, Creation
from tasks.models.importing import Models, ModelsImport, start_import
from tasks.models.names import show_table, split_name
from tasks.models.references import TableName
from tasks.models.scope import narrow
from tasks.postgres.quoting import quote_qualified
from tasks.rehearsal.kept.schemas import NOTHING_KEPT, KeptSchema, KeptSchemas
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import exclude_left_out
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.spelling import propose


@dataclass(frozen=True, slots=True)
class ModelsGoal:
    """Models that were created on scratch, and the schema of the migrations."""

    state: KeptSchema
    created: CreatedModels
    exclude: tuple[TableName, ...]

    def narrow(self, before: Catalog) -> WantedSchema:
        """Return the schema that the models lead to, without what the scratch server could not create of them."""
        wanted = narrow(before, self.created, self.exclude)
        left_out = self.created.left_out
        if not left_out:
            return wanted
        objects = dict(before.objects)
        for change in exclude_left_out(compare(before, wanted.catalog), left_out).changes:
            if change.after is None:
                del objects[change.key]
            else:
                objects[change.key] = change.after
        return replace(wanted, catalog=replace(wanted.catalog, objects=objects))


def open_goal(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    references: Sequence[str],
    exclude: Sequence[TableName] = (),
    *,
    kept: KeptSchemas = NOTHING_KEPT,
    timeout_s: float | None = None,
) -> Goal:
    """Import models, create them on scratch, and return the goal to agree with them; `base` are all migrations of the checkout.

    Raises RunnerError for models that cannot be imported or created, and UsageError for an excluded table that is in neither.
    """
    with start_import(references, exclude) as started:
        return Goal(name_models(references), open_models(server, base, started, kept=kept, timeout_s=timeout_s).narrow)


def name_models(references: Sequence[str]) -> str:
    """Return what messages call the models."""
    return f"the models {', '.join(references)}"


def open_models(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    started: ModelsImport,
    *,
    kept: KeptSchemas = NOTHING_KEPT,
    timeout_s: float | None = None,
) -> ModelsGoal:
    """Return models that were created on scratch, when their import ends; raises what `open_goal` does."""
    started.state_version(server.oldest_version)
    with ExitStack() as stack:
        rehearsal, state = None, kept.find(base)
        if state is None:
            after = state_after(server, base, timeout_s=timeout_s, check=started.check)
            rehearsal = stack.enter_context(Rehearsal(stack.enter_context(after), timeout_s=timeout_s))
            state = read_state(rehearsal)
            kept.add(base, state)
        models = started.finish()
        _check_excluded(started.exclude, state.catalog, models)
        _check_referred(state.catalog, models)
        created = Creation(server, base, state.catalog, models, kept, timeout_s).run(rehearsal)
    server.note_stand_ins((*state.stand_ins, *created.stand_ins))
    return ModelsGoal(state, created, started.exclude)


def _check_excluded(exclude: Iterable[TableName], before: Catalog, models: Models) -> None:
    known = {split_name(key.name) for key, _ in before.list_unordered() if key.kind in {"table", "foreign table"}}
    known |= {table.name for table in models.tables}
    known |= set(models.excluded)
    for name in exclude:
        if name not in known:
            shown = show_table(name)
            raise UsageError(
                f"--exclude: there is no table {shown} in the migrations or the models",
                hint=propose(shown, map(show_table, known)) or "A name without a schema is one of public.",
                state="Nothing was changed.",
            )


def _check_referred(before: Catalog, models: Models) -> None:
    known = {split_name(key.name) for key, _ in before.list_unordered() if key.kind == "table"}
    for each in models.referred:
        if each.name not in known:
            raise RunnerError(
                f"{each.place} refers to {quote_qualified(*each.name)}, which neither the models nor the migrations have",
                hint="Name the models that have it too, or write the migration that creates it first.",
                state="Nothing was changed.",
            )
