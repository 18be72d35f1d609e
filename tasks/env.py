"""The env.* tasks: which environments there are, and what one of them lacks."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.config.environments import list_environments, load_environment
from tasks.runner.events import CHECK_FOUND, EnvironmentsListed, ProbeRead


@command(name="list", help={"json": "one JSON line on stdout"})
def list_(_context: Context, json: bool = False) -> None:
    """List the environments and their settings.

    Nothing is connected to.
    """
    from tasks.checks.summary import describe_environment
    from tasks.report import report

    with exit_on_error(json=json):
        known = tuple(describe_environment(load_environment(name)) for name in list_environments())
        report([EnvironmentsListed(known)], json=json)


@command(help={"env": "the environment", "json": "one JSON line on stdout", "start": "start a machine if none is started"})
def check(_context: Context, env: str = "local", json: bool = False, start: bool = False) -> None:
    """Check an environment and show what is missing.

    Exits with 4 if something is.
    """
    from tasks.checks.environment import check_environment
    from tasks.report import report
    from tasks.runner.signals import catch_signals

    with exit_on_error(json=json), catch_signals() as stop:
        checks = check_environment(load_environment(env), stop, start=start)
        report([ProbeRead(checks)], json=json)
    if not all(found.passed for found in checks):
        raise Exit(code=CHECK_FOUND)
