"""The command db.import-alembic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import load_environment
from tasks.runner.operations.requests import parse_count


@command(
    name="import-alembic",
    help={
        **SCRATCH_HELP,
        "versions": "Alembic's folder of revisions; default: that of alembic.ini, or the only one with an env.py beside it",
        "dry_run": "show what the revisions become, prove it on scratch, and write nothing",
        "x": "what env.py or a revision reads by context.get_x_argument(), as alembic -x has it (repeatable)",
        "record": "write this revision as Alembic runs it on scratch, if it cannot be rendered offline; all: each (repeatable)",
        "verbose": "list the revisions that are imported already, too",
    },
    iterable=["without_extension", "record", "x"],
)
def import_alembic(
    _context: Context,
    without_extension: Sequence[str],
    record: Sequence[str],
    x: Sequence[str],
    versions: str = "",
    dry_run: bool = False,
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Write the revisions of Alembic as migrations.

    They are proved on scratch to have the result that they have in Alembic; db.adopt then takes over its version table.
    """
    from tasks.alembic_import.importing import plan_import, write_import
    from tasks.alembic_import.places import find_project
    from tasks.report import report
    from tasks.report.alembic_import import register_messages

    register_messages()
    with exit_on_error(json=json, rehearses=True):
        settings, timeout_s = load_environment("local").settings, parse_count("--timeout", timeout)
        project = replace(find_project(versions, Path.cwd()), arguments=tuple(x))
        without = read_extensions(without_extension)
        with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
            planned = plan_import(project, settings.migrations_dir, server, records=tuple(record), timeout_s=timeout_s)
            report(chain(write_import(planned, apply=not dry_run), note_stand_ins(server)), json=json, verbose=verbose)
