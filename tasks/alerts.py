"""The alerts.* tasks."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.alerting.message import describe_test_message
from tasks.alerting.watcher import begin_sending
from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.config.environments import load_environment
from tasks.runner.errors import RunnerError


@command(help={"env": "the environment whose alert addresses are tested"})
def test(_context: Context, env: str = "local") -> None:  # noqa: PT028 - a task, no test
    """Send a test message to every address of ALERT_URLS.

    Exits with 1 if one could not be reached.
    """
    with exit_on_error():
        environment = load_environment(env)
        if not environment.alert_urls:
            raise RunnerError(
                f"ALERT_URLS is not set for {env}",
                hint=f"Set it in .env, for all environments, or in .env.{env}: ALERT_URLS=slack://…\n"
                "https://appriseit.com/services/ lists the services.",
            )
        if not begin_sending(environment, describe_test_message(environment)).finish():
            raise Exit(code=1)
    count = len(environment.alert_urls)
    print(f"✅ Sent a test message to {count} address{'es' if count > 1 else ''}")
