"""The command db.check-models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import LOCAL, load_environment
from tasks.runner.events import CHECK_FOUND, Event
from tasks.runner.operations.requests import parse_count

if TYPE_CHECKING:
    from tasks.models.events import ModelsChecked
    from tasks.models.importing import ModelsImport
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.settings import Settings


@command(
    name="check-models",
    help={
        **SCRATCH_HELP,
        "models": "the models, comma-separated (default: those of MODELS)",
        "exclude": "tables that are not compared (repeatable, or comma-separated)",
        "no_cache": "make the schemas again that are kept from before and are unchanged",
    },
    iterable=["without_extension", "exclude"],
)
def check_models(
    _context: Context,
    without_extension: Sequence[str],
    exclude: Sequence[str],
    models: str = "",
    timeout: str = "600",
    as_superuser: bool = False,
    no_cache: bool = False,
    json: bool = False,
) -> None:
    """Check that SQLAlchemy models and migrations agree.

    Both are made on scratch; no other database is read. Exits with 4 if they differ.
    """
    from tasks.models.importing import start_import
    from tasks.models.references import read_references, read_tables
    from tasks.report import report
    from tasks.report.models import register_messages

    register_messages()
    with exit_on_error(json=json, rehearses=True) as seen:
        settings, timeout_s = load_environment(LOCAL).settings, parse_count("--timeout", timeout)
        references, tables = read_references(models, settings.models), read_tables(exclude)
        without = read_extensions(without_extension)
        with (
            start_import(references, tables) as started,
            open_scratch(settings, without=without, as_superuser=as_superuser, writes=True) as server,
        ):
            seen.append(server.url)
            environ = {} if no_cache else os.environ
            checked = compare_models(server, settings, started, environ=environ, timeout_s=timeout_s)
            report(_list_events(server, checked), json=json)
    if checked.changes:
        raise Exit(code=CHECK_FOUND)


def _list_events(server: ScratchServer, checked: ModelsChecked) -> Iterator[Event]:
    yield checked
    yield from note_stand_ins(server)


def compare_models(
    server: ScratchServer,
    settings: Settings,
    started: ModelsImport,
    *,
    environ: Mapping[str, str],
    timeout_s: float | None = None,
) -> ModelsChecked:
    """Return how models differ from the migrations of the checkout; raises RunnerError.

    `environ` has the cache folder of the account, in which schemas are kept.
    """
    from tasks.models.checking import check_models as check
    from tasks.rehearsal.kept.schemas import open_schemas
    from tasks.rehearsal.model import read_migration_pairs
    from tasks.runner.files.checkout import read_migrations

    migrations = read_migrations(settings.migrations_dir)
    base = read_migration_pairs(migrations, sorted(migrations.checksums), with_downs=False)
    kept = open_schemas(server, environ)
    return check(server, base, started, kept=kept, timeout_s=timeout_s)
