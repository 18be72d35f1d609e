"""Checking an environment from the near end to the far one; the first thing that is missing hides what lies behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tasks.environments import Environment, find_database_url
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, Event, ProbeRead
from tasks.runner.requests import Request
from tasks.runner.signals import Stop

_FAR_END = "ssh, folder, Python and packages"


def check_environment(environment: Environment, stop: Stop, *, start: bool) -> tuple[CheckMade, ...]:
    """Make every check that can be made; where one fails that others need, it is the last."""
    return tuple(_check_fly(environment, stop, start) if environment.fly_app else _check_url(environment, stop))


def _check_url(environment: Environment, stop: Stop) -> Iterator[CheckMade]:
    from tasks.runner.probe import probe
    from tasks.runner.runner import MigrationRunner

    try:
        url = find_database_url(environment)
        yield CheckMade("DATABASE_URL", True, "set" if environment.settings.database_url else "the embedded PostgreSQL")
        folder = environment.settings.migrations_dir
        runner = MigrationRunner(url, migrations_dir=folder, environment=environment.name, stop=stop)
        yield from _read_probe(probe(runner))
    except RunnerError as error:
        yield CheckMade("database", False, error.message, error.hint)


def _check_fly(environment: Environment, stop: Stop, start: bool) -> Iterator[CheckMade]:
    from tasks.carrying import Manner
    from tasks.remote.flyctl import call_flyctl, find_flyctl
    from tasks.remote.operation import build_remote

    remote = build_remote(environment, Manner(start=start, json=True), stop)
    attempts: tuple[tuple[str, Callable[[], str]], ...] = (
        ("flyctl", find_flyctl),
        ("token", lambda: call_flyctl(["auth", "whoami"]).strip() or "accepted"),
        (f"machine of {environment.fly_app}", lambda: "{0.id} in {0.region}".format(remote.find_machine())),
    )
    name = ""
    try:
        for name, attempt in attempts:
            yield CheckMade(name, True, attempt())
        name = _FAR_END
        far = tuple(_read_probe(remote.carry_out(Request("probe"))))
        yield CheckMade(name, True, "the runner answers")
        yield from far
    except RunnerError as error:
        yield CheckMade(name, False, error.message, error.hint)


def _read_probe(events: Iterator[Event]) -> Iterator[CheckMade]:
    for event in events:
        if isinstance(event, ProbeRead):
            yield from event.checks
