"""Send an alert when a run fails, is interrupted or waits too long; the outcome of the run never changes."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tasks.alerting.delivery import Sending
from tasks.alerting.message import Alert, describe_alert, describe_end, describe_wait
from tasks.alerting.progress import RunProgress, advance, count_waited_s
from tasks.config.environments import Environment
from tasks.runner.events import Event


def watch(events: Iterator[Event], environment: Environment, action: str) -> Iterator[Event]:
    """Yield the events unchanged; send an alert if the run fails, and one the first time that it waits too long."""
    return _watch(events, environment, action) if environment.alert_urls else events


def _watch(events: Iterator[Event], environment: Environment, action: str) -> Iterator[Event]:
    progress, waiting = RunProgress(), None
    try:
        try:
            for event in events:
                now = time.monotonic()
                progress = advance(progress, event, now)
                waited_s = count_waited_s(progress, now)
                if waiting is None and progress.wait and waited_s >= environment.alert_after_s:
                    waiting = begin_sending(environment, describe_wait(progress, progress.wait, waited_s, environment, action))
                yield event
        finally:
            # An interrupted run must be rolled back before the alert is sent.
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
    """Start to send an alert to every address of an environment, and return the sending."""
    return Sending(environment.alert_urls, *describe_alert(alert), alert.kind)


def _close(events: Iterator[Event]) -> None:
    close = getattr(events, "close", None)
    if close:
        close()
