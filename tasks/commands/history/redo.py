"""The command db.redo."""

from __future__ import annotations

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import run_request
from tasks.commands.flags import JSON_HELP
from tasks.commands.local.locality import require_local
from tasks.config.environments import load_environment
from tasks.options import Options
from tasks.runner.operations.requests import Request, parse_plan
from tasks.runner.signals import Stop


@command(
    help={
        **JSON_HELP,
        "env": "the environment; only one whose database is local can be used",
        "stored_down": "run the down text that was stored when the migration was applied, not the down file",
        "dry_run": "print the plan, in a READ ONLY transaction, and change nothing",
        "plan": "run exactly the plan that --dry-run printed, or refuse",
        "verbose": "print every statement",
        "yes": "run a stored text that cannot be verified, without a question",
    }
)
def redo(
    _context: Context,
    env: str = "local",
    stored_down: bool = False,
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
    yes: bool = False,
    plan: str | None = None,
) -> None:
    """Roll back the newest migration and apply it again.

    For the local database only: the file may have been edited in between.
    """
    with exit_on_error(json=json):
        request = Request("redo", stored_down=stored_down, dry_run=dry_run, plan=parse_plan(plan), verbose=verbose)
        require_local(load_environment(env), Stop(), command="db.redo")
    run_request(env, request, Options(json=json, yes=yes, verbose=verbose))
