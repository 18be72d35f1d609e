"""Prove a safe migration on scratch: it runs up, down and up again, and has the result of the file that it replaces."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import COLUMN_ORDER, Catalog, Change, compare, show_difference
from tasks.catalog.values import Difference
from tasks.lint.rewriting.steps import NotRewritableError
from tasks.rehearsal.model import Direction, Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import read_script

_SHOWN = 5


def prove(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    replaced: RehearsedMigration,
    made: Sequence[RehearsedMigration],
    following: Sequence[RehearsedMigration] = (),
    *,
    timeout_s: float | None = None,
) -> None:
    """Run the files of a safe migration on scratch in the state after `base`: up, down and up; then the pending files after them.

    Raises NotRewritableError with the reason if one fails, if a down does not undo its up, or if the schema in the end is not
    that of the replaced file: it may have more indexes, and columns in another order.
    """
    whole = sorted([*made, *following], key=lambda migration: migration.name)
    count = 1 + max(whole.index(migration) for migration in made)
    wanted = _find_wanted(server, base, (replaced, *following), timeout_s)
    with state_after(server, base, timeout_s=timeout_s) as database:
        outcomes = [_run(database, migration, "up", timeout_s) for migration in whole[:count]]
        last = outcomes[-1]
        for migration in _undo(database, outcomes, timeout_s):
            last = _run(database, migration, "up", timeout_s)
        _compare(outcomes[-1].after, last.after, "up after down has another result")
        for migration in whole[count:]:
            last = _run(database, migration, "up", timeout_s)
        if wanted is not None:
            _compare(wanted, last.after, "the schema after the safe migration is another one", more_indexes=True)


def _undo(database: ScratchDatabase, outcomes: Sequence[Outcome], timeout_s: float | None) -> list[RehearsedMigration]:
    """Roll back the migrations from the last one on, down to one that is irreversible, and return them in their order.

    Raises NotRewritableError if a down does not restore the schema.
    """
    undone: list[RehearsedMigration] = []
    for outcome in reversed(outcomes):
        if not _is_reversible(outcome.migration):
            break
        after = _run(database, outcome.migration, "down", timeout_s).after
        _compare(outcome.before, after, f"the down of {outcome.migration.name} does not undo its up")
        undone.insert(0, outcome.migration)
    return undone


def _find_wanted(
    server: ScratchServer, base: Sequence[RehearsedMigration], replaced: Sequence[RehearsedMigration], timeout_s: float | None
) -> Catalog | None:
    """Return the schema after the files as they are; None if they fail, as a new value of an enum in use does."""
    after = None
    with state_after(server, base, timeout_s=timeout_s) as database:
        for migration in replaced:
            outcome = try_migration(database, migration, "up", timeout_s=timeout_s)
            if outcome.error is not None:
                return None
            after = outcome.after
    return after


def _run(database: ScratchDatabase, migration: RehearsedMigration, direction: Direction, timeout_s: float | None) -> Outcome:
    outcome = try_migration(database, migration, direction, timeout_s=timeout_s)
    if outcome.error is not None:
        place = f"{outcome.error.place}: " if outcome.error.place else ""
        raise NotRewritableError(f"{migration.name} ({direction}) fails on scratch: {place}{outcome.error.message}")
    if outcome.unchecked:
        raise NotRewritableError(f"scratch cannot run {outcome.unchecked[0]}")
    return outcome


def _is_reversible(migration: RehearsedMigration) -> bool:
    """Return False for a down that only has the directive irreversible."""
    if migration.down is None:
        return False
    try:
        return read_script(migration.down, file=migration.name, version=migration.name).irreversible is None
    except RunnerError as error:
        raise NotRewritableError(f"the down of {migration.name} cannot be read: {error.message}") from error


def _compare(wanted: Catalog, actual: Catalog, what: str, *, more_indexes: bool = False) -> None:
    found = compare(wanted, actual).without({COLUMN_ORDER})
    changes = tuple(change for change in found.changes if not (more_indexes and _is_new_index(change)))
    if changes:
        lines = list(show_difference(Difference(changes)))
        raise NotRewritableError(f"{what}:\n" + "\n".join(f"  {line}" for line in lines[:_SHOWN]))


def _is_new_index(change: Change) -> bool:
    return change.before is None and change.key.kind == "index"
