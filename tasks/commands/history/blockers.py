"""The command db.blockers."""

from __future__ import annotations

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import run_request
from tasks.commands.flags import JSON_HELP, ONE_ENV_HELP
from tasks.options import Options
from tasks.runner.errors import UsageError
from tasks.runner.operations.requests import Request, parse_pid


@command(
    help={
        **ONE_ENV_HELP,
        **JSON_HELP,
        "kill": "end the session of this process (PID), after a question; only one of the own role that blocks others",
        "yes": "end it without a question",
    }
)
def blockers(
    _context: Context, env: str = "local", kill: str = "", json: bool = False, yes: bool = False, start: bool = False
) -> None:
    """Show which sessions wait for which.

    Each blocker is shown with the statement that ends it.
    """
    with exit_on_error(json=json):
        request = Request("blockers", kill=parse_pid("--kill", kill))
        if request.kill and "," in env:
            hint = f"Use the environment of the session: --env=NAME --kill={request.kill}"
            raise UsageError("--kill needs one environment", hint=hint, state="Nothing was changed.")
    run_request(env, request, Options(json=json, yes=yes, start=start))
