"""A run that fails, is interrupted or waits too long → one message through apprise. It never changes the outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.alerting.delivery import Sending
from tasks.alerting.message import Alert, describe_alert, describe_end, describe_test_message, describe_wait
from tasks.alerting.progress import RunProgress, advance, count_held_s
from tasks.config.environments import Environment, load_environment
from tasks.runner.errors import RunnerError
from tasks.runner.events import Event


def watch(events: Iterator[Event], environment: Environment, action: str) -> Iterator[Event]:
    """Pass the events on, and send a message when the run fails, and one the first time that it waits too long."""
    return _watch(events, environment, action) if environment.alert_urls else events


def _watch(events: Iterator[Event], environment: Environment, action: str) -> Iterator[Event]:
    progress, waiting = RunProgress(), None
    try:
        try:
            for event in events:
                now = time.monotonic()
                progress = advance(progress, event, now)
                held_s = count_held_s(progress, now)
                if waiting is None and progress.hold and held_s >= environment.alert_after_s:
                    waiting = begin_sending(environment, describe_wait(progress, progress.hold, held_s, environment, action))
                yield event
        finally:
            # A run that is broken off must have rolled back before anybody is told.
            _close(events)
    except BaseException as error:
        alert = describe_end(error, progress, environment, action)
        if alert is not None:
            begin_sending(environment, alert).finish()
        raise
    finally:
        if waiting is not None:
            waiting.finish()


def begin_sending(environment: Environment, alert: Alert) -> Sending:
    """Begin to send a message to every address of an environment."""
    return Sending(environment.alert_urls, *describe_alert(alert), alert.kind)


def _close(events: Iterator[Event]) -> None:
    close = getattr(events, "close", None)
    if close:
        close()


@task(help={"env": "the environment whose addresses are tried"})
def test(_context: Context, env: str = "local") -> None:  # noqa: PT028 - a task, no test
    """Send a trial message to every address of ALERT_URLS; exit with 1 if one was not reached."""
    from tasks.commands.dispatch import exit_on_error

    with exit_on_error():
        environment = load_environment(env)
        if not environment.alert_urls:
            raise RunnerError(
                f"ALERT_URLS is not set for {env}",
                hint=f"Write it into .env, for all environments, or into .env.{env}: ALERT_URLS=slack://…\n"
                "https://appriseit.com/services/ lists the services.",
            )
        if not begin_sending(environment, describe_test_message(environment)).finish():
            raise Exit(code=1)
    count = len(environment.alert_urls)
    print(f"✅ Sent a trial message to {count} address{'es' if count > 1 else ''}")
