"""The command db.mark."""

from __future__ import annotations

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.dispatch import run_request
from tasks.commands.flags import ENV_HELP, JSON_HELP
from tasks.options import Options
from tasks.runner.operations.requests import Request


@command(
    help={
        **ENV_HELP,
        **JSON_HELP,
        "version": "the migration (its timestamp is enough)",
        "unmark": "remove the record instead: the migration counts as not applied",
        "yes": "confirm the change, and what a guarded environment asks",
        "dry_run": "print the proposed change and change nothing",
    },
    positional=["version"],
)
def mark(
    _context: Context,
    version: str,
    env: str = "local",
    unmark: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Record a migration as applied without running it.

    With --unmark, remove the record without rolling it back.
    """
    request = Request("mark", version=version, unmark=unmark, dry_run=dry_run)
    run_request(env, request, Options(json=json, yes=yes, start=start))
