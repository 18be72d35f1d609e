"""Check an environment on Fly: flyctl, token, app, machine, ssh, the image, and the database from the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tasks.checks.image import check_image, look_at_image
from tasks.config.environments import Environment
from tasks.fly.failures import describe_refusal
from tasks.fly.flyctl import call_flyctl, find_flyctl, hide_tokens, list_machines
from tasks.fly.operation import Remote, build_remote
from tasks.options import Options
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, ErrorRaised, ProbeRead
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from fabric import Connection


def check_fly(environment: Environment, stop: Stop, *, start: bool) -> Iterator[CheckMade]:
    """Yield the checks one after the other, up to the first failure that the next ones depend on."""
    remote = build_remote(environment, Options(start=start, json=True), stop)
    name = "flyctl"
    with ExitStack() as stack:
        try:
            yield CheckMade(name, True, find_flyctl())
            name = "token"
            user = hide_tokens(call_flyctl(["auth", "whoami"], stop, environment.fly_timeouts)).strip()
            yield CheckMade(name, True, user or "accepted")
            name = "app"
            count = len(list_machines(environment.fly_app, stop, environment.fly_timeouts))
            yield CheckMade(name, True, f"{environment.fly_app}, with {count} machine{'' if count == 1 else 's'}")
            name = "machine"
            machine = remote.find_machine()
            yield CheckMade(name, True, f"{machine.id} in {machine.region} is started")
            name = "ssh"
            connection = remote.enter(stack, preferred=machine.id)
            yield CheckMade(name, True, f"connected as {environment.fly_user}")
            name = "image"
            checks = check_image(look_at_image(connection, environment), environment)
            yield from checks
            if all(check.passed for check in checks):
                name = "runner"
                yield from _probe_on_machine(remote, connection)
        except RunnerError as error:
            yield CheckMade(name, False, error.message, error.hint)


def _probe_on_machine(remote: Remote, connection: Connection) -> Iterator[CheckMade]:
    """Yield the checks of the database, made from the machine."""
    environment = remote.environment
    run = remote.build_run(connection, environment.fly_folder, Request("probe"))
    for event in run:
        if isinstance(event, ProbeRead):
            yield from event.checks
        if isinstance(event, ErrorRaised):
            yield CheckMade("database", False, event.message, event.hint)
    remote.print_warnings(run)
    if not run.complete:
        raise describe_refusal(run, folder=environment.fly_folder, environment=environment.name)
