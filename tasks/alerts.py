"""A run that fails, is interrupted or waits too long → one message through apprise. It never changes the outcome."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.environments import Environment, load_environment
from tasks.runner.errors import RunnerError, ToldError
from tasks.runner.events import ErrorRaised, Event, LockAwaited, Retried, RunStarted, StatementStarted, StepStarted, Waiting
from tasks.runner.identity import Identity, read_revision
from tasks.runner.plain.cells import clean
from tasks.runner.secrets import redact

WAIT_S = 60.0
"""How long a run may wait for a lock before somebody is told."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Hold what a message says."""

    environment: str
    action: str
    actor: str
    commit: str
    run_id: str = ""
    version: str = ""
    statement: str = ""
    error: str = ""
    state: str = ""
    hint: str = ""


def describe_trouble(trouble: Trouble) -> tuple[str, str]:
    """Write title and body of the message. Pure."""
    title = f"{trouble.environment}: {trouble.action} {trouble.version or 'run'} needs attention"
    rows = (
        ("Environment", trouble.environment),
        ("Migration", trouble.version),
        ("Statement", trouble.statement),
        ("Error", trouble.error),
        ("State", trouble.state),
        ("Next", trouble.hint),
        ("Who", trouble.actor),
        ("Commit", trouble.commit),
        ("Run", trouble.run_id),
    )
    return title, "\n".join(f"{name}: {value}" for name, value in rows if value)


def watch(events: Iterator[Event], environment: Environment, action: str) -> Iterator[Event]:
    """Pass the events on, and send a message when the run fails or waits longer than a minute."""
    if not environment.alert_urls:
        yield from events
        return
    trouble = _begin(environment, action)
    told_waiting = False
    waited_s = 0.0
    error: ErrorRaised | None = None
    try:
        for event in events:
            trouble = _follow(trouble, event)
            error = event if isinstance(event, ErrorRaised) else error
            waited_s = _count_waiting(event, waited_s, environment.settings.policy.lock_timeout_ms / 1000)
            if waited_s > WAIT_S and not told_waiting:
                told_waiting = True
                send(
                    environment, replace(trouble, error=f"it has been waiting for {waited_s:.0f} s", state="It goes on waiting.")
                )
            yield event
    except ToldError:
        if error is not None:
            send(environment, replace(trouble, error=error.message, state=error.state, hint=error.hint))
        raise
    except RunnerError as failure:
        send(environment, replace(trouble, error=failure.message, state=failure.state, hint=failure.hint))
        raise
    except (KeyboardInterrupt, GeneratorExit):
        send(environment, replace(trouble, error="stopped at once", hint="inv db.status shows what stands"))
        raise


def send(environment: Environment, trouble: Trouble) -> bool:
    """Send a message to every address of an environment; what fails is said on stderr and changes nothing else."""
    title, body = describe_trouble(trouble)
    failed = [place for url in environment.alert_urls for place in _notify(url, title, redact(body))]
    for place in failed:
        print(f"⚠️  The alert could not be sent to {place}", file=sys.stderr)
    return not failed


def _notify(url: str, title: str, body: str) -> Sequence[str]:
    """Send to one address; gives it, without its secrets, where that failed."""
    import logging

    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    sender = Apprise()
    scheme = f"{url.partition('://')[0]}://…"
    try:
        sent = sender.add(url) and sender.notify(title=title, body=body)
    except Exception as error:
        return [f"{scheme} ({type(error).__name__})"]
    return [] if sent else [scheme]


def _begin(environment: Environment, action: str) -> Trouble:
    revision = read_revision(environment.settings.migrations_dir)
    commit = f"{revision.commit[:12]}{' with changes' if revision.dirty else ''}"
    return Trouble(environment.name, action, Identity().actor, commit)


def _follow(trouble: Trouble, event: Event) -> Trouble:
    if isinstance(event, RunStarted):
        return replace(trouble, run_id=event.run_id)
    if isinstance(event, StepStarted):
        return replace(trouble, version=event.version, statement="")
    if isinstance(event, StatementStarted):
        return replace(trouble, statement=f"line {event.line}: {clean(event.text)}")
    return trouble


def _count_waiting(event: Event, waited_s: float, lock_timeout_s: float) -> float:
    """Count how long a step has been waiting for locks, over all its tries."""
    if isinstance(event, LockAwaited):
        return event.seconds_s
    if isinstance(event, Waiting):
        return max(waited_s, event.seconds_s) if event.blockers else waited_s
    if isinstance(event, Retried):
        return waited_s + lock_timeout_s + event.pause_s
    if isinstance(event, StepStarted):
        return 0.0
    return waited_s


@task(help={"env": "the environment whose addresses are tried"})
def test(_context: Context, env: str = "local") -> None:  # noqa: PT028 - a task, no test
    """Send a trial message to every address of ALERT_URLS."""
    from tasks.carrying import refuse_mistakes

    with refuse_mistakes():
        environment = load_environment(env)
        if not environment.alert_urls:
            raise RunnerError(
                f"ALERT_URLS is not set for {env}",
                hint="Write it into .env: ALERT_URLS=slack://… (https://github.com/caronc/apprise/wiki lists the services)",
            )
        trial = replace(_begin(environment, "trial"), error="none: this is a trial", hint="Nothing to do.")
        if not send(environment, trial):
            raise Exit(code=1)
    print(f"✅ Sent to {len(environment.alert_urls)} address{'es' if len(environment.alert_urls) > 1 else ''}")
