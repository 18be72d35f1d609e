"""The schema of an environment as a goal: what was made there by hand is made by a migration here."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.catalog import Catalog, align, undo_upgrade
from tasks.generation.goal import Goal, WantedSchema
from tasks.generation.states import UNWRITTEN
from tasks.rehearsal.drift.unfinished import refuse_unfinished
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.opening import check_version
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError
from tasks.runner.events import CatalogRead
from tasks.runner.files.checksums import list_checksums
from tasks.runner.files.schema_file import name_versions
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tasks.runner.operations.schema import build_catalog


def open_environment(server: ScratchServer, base: Sequence[RehearsedMigration], read: CatalogRead) -> Goal:
    """Return the schema of an environment as a goal.

    Raises RefusedError if migrations of the checkout are not applied there, or with another text, because the difference would
    undo them; if one is partly applied; and if the scratch server is older than that of the environment.
    """
    oldest = server.target_version
    check_version(server, read.server_version)
    server.target_version = min(oldest or read.server_version, read.server_version)
    refuse_unfinished(read.unfinished)
    _refuse_pending(base, read)
    _refuse_edited(base, read)
    catalog = build_catalog(read)

    def narrow(before: Catalog) -> WantedSchema:
        live = align(before, exclude_tool_tables(catalog, made=before))[1]
        return WantedSchema(undo_upgrade(before, live))

    return Goal(f"the environment {read.environment}", narrow, orders_columns=True)


def _refuse_edited(base: Sequence[RehearsedMigration], read: CatalogRead) -> None:
    texts = {migration.name: migration for migration in base}
    edited = [
        script.version
        for script in read.scripts
        if script.checksum
        and (migration := texts.get(script.version))
        and script.checksum not in {migration.checksum, *list_checksums(migration.up.encode())}
    ]
    if edited:
        raise RefusedError(
            f"{read.environment} has applied {name_versions(edited)} with another text: a new migration would undo that edit",
            hint="Restore the text that was applied, and write the edit as a migration of its own. The files and their states:\n"
            + compose_command("db.status", env=read.environment),
            state=UNWRITTEN,
        )


def _refuse_pending(base: Sequence[RehearsedMigration], read: CatalogRead) -> None:
    applied = {script.version for script in read.scripts}
    pending = [migration.name for migration in base if migration.name not in applied]
    if not read.has_ledger or not pending:
        return
    raise RefusedError(
        f"{read.environment} has not applied {name_versions(pending)}: a new migration would undo what they make",
        hint=f"Apply them there first: {compose_command('db.migrate', env=read.environment)}\n"
        f"Or, if it has what one of them makes, record that: {compose_command('db.mark', pending[0], env=read.environment)}\n"
        "Or write only what was changed there outside of its migrations: "
        + compose_command("db.drift", "--as-migration", "NAME", env=read.environment),
        state=UNWRITTEN,
    )
