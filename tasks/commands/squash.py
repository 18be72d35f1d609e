"""The command db.squash."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import load_environment
from tasks.runner.operations.requests import parse_count


@command(
    help={
        **SCRATCH_HELP,
        "to": "the last version to include (its timestamp is enough)",
        "dry_run": "show the file, prove it on scratch, and change nothing",
        "keep_values": "accept that values which differ between replays, such as random ones, become constants",
        "verbose": "show the text of the file",
    },
    iterable=["without_extension"],
)
def squash(
    _context: Context,
    to: str,
    without_extension: Sequence[str],
    dry_run: bool = False,
    keep_values: bool = False,
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Replace all migrations up to a version by one.

    It is proved on scratch, and not run where they are applied.
    """
    from tasks.report import report
    from tasks.report.squash import register_messages
    from tasks.squash.squash import plan_squash, squash_files

    register_messages()
    with exit_on_error(json=json):
        settings, timeout_s = load_environment("local").settings, parse_count("--timeout", timeout)
        without = read_extensions(without_extension)
        with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
            made = plan_squash(settings.migrations_dir, to, server, timeout_s=timeout_s, keep_values=keep_values)
            report(chain(squash_files(made, apply=not dry_run), note_stand_ins(server)), json=json, verbose=verbose)
