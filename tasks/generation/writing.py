"""Write the files of a proposal, and describe it as an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tasks.catalog import Difference, mask_difference
from tasks.generation.dividing.texts import AFTER_DEPLOY
from tasks.generation.events import CreatedMigration, MigrationProposed, MigrationsCreated
from tasks.generation.heads import name_file
from tasks.generation.proposal import MigrationProposal, ProposedFile
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.runner.files.checkout import show_path
from tasks.runner.files.new import Draft, MigrationText, create_migrations


def describe(proposal: MigrationProposal, versions: int, server: ScratchServer) -> MigrationProposed:
    """Return a proposal that was proved on a server as an event; `versions` is the number of migrations before it."""
    rows = proposal.rows
    return MigrationProposed(
        proposal.label,
        versions,
        mask_difference(proposal.changes),
        tuple(file.description for file in proposal.files),
        mask_difference(Difference(proposal.left_out)),
        proposal.orders,
        tuple(_show_rename(rename) for rename in proposal.renames),
        proposal.losses,
        proposal.risks,
        rows.conditions,
        rows.tables,
        rows.unfilled,
        tuple(file.irreversible for file in proposal.files if file.irreversible),
        proposal.unchecked,
        proposal.details,
        proposal.kept,
        server.version,
        server.oldest_version,
    )


def create_files(proposal: MigrationProposal, folder: Path) -> Iterator[MigrationsCreated]:
    """Create the files of a proposal, dated now in its order; raises RunnerError if they cannot be created."""
    drafts = [Draft(file.description, _compose(file)) for file in proposal.files]
    if not drafts:
        return
    created = create_migrations(folder, drafts, now=datetime.now(UTC))
    migrations = (
        CreatedMigration(made.version, tuple(show_path(path) for path in (made.up, made.down) if path is not None), after_deploy)
        for made, after_deploy in zip(created, (AFTER_DEPLOY in file.up for file in proposal.files), strict=True)
    )
    notes = dict.fromkeys(note for made in created for note in made.notes)
    yield MigrationsCreated(tuple(migrations), tuple(notes))


def _compose(file: ProposedFile) -> Callable[[str], MigrationText]:
    return partial(_write, file)


def _write(file: ProposedFile, version: str) -> MigrationText:
    return MigrationText(name_file(version, file.up), name_file(version, file.down))


def _show_rename(rename: ObjectRename) -> str:
    return f"{rename.old} is now {rename.new.name}"
