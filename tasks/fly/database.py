"""The database of a Fly app, reached from here: its URL is read on a machine over ssh, and `fly proxy` forwards to it.

The URL is not printed, and is in no argument: flyctl gets a host and a port only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

from tasks.fly.operation import build_remote
from tasks.fly.proxy import TunnelError, open_proxy
from tasks.fly.remote_commands import wrap
from tasks.runner.command_lines import compose_command, show_name
from tasks.runner.errors import Interruption, RefusedError, RunInterruptedError, RunnerError
from tasks.runner.ledger.environment_label import FLY_NETWORK, is_loopback
from tasks.runner.signals import describe_signal
from tasks.runner.urls import find_fault

if TYPE_CHECKING:
    from fabric import Connection

    from tasks.config.environments import Environment
    from tasks.fly.operation import Remote
    from tasks.options import Options
    from tasks.runner.signals import Stop

_PORT = "5432"
_LOCAL = "127.0.0.1"
_READ_URL = 'printf %s "${DIRECT_DATABASE_URL:-$DATABASE_URL}"'
_NOT_PASSED = frozenset({"service", "servicefile", "passfile", "hostaddr"})
"""Parameters that name files of the machine, and the address that is replaced."""
_FLY_DOMAINS = (".internal", ".flycast", ".flympg.net")
"""https://fly.io/docs/networking/private-networking/"""
_STATE = "Nothing was changed."


@contextmanager
def open_database(environment: Environment, options: Options, stop: Stop) -> Iterator[dict[str, str]]:
    """Yield the parameters with which libpq reaches the database of an app from here, while a proxy forwards to it.

    A host in Fly's private network is reached through the proxy, and one with a public name directly. The host is kept beside the
    local address, so that sslmode=verify-full compares the certificate with it. Raises RunnerError.
    """
    remote = build_remote(environment, options, stop)
    try:
        with ExitStack() as stack:
            url = _read_url(remote, remote.enter(stack))
        parameters = _read_parameters(url, environment.name)
        with ExitStack() as stack:
            yield _forward(remote, parameters, stack)
    except Interruption as interruption:
        reason = f"stopped by {describe_signal(interruption.signal_name)}"
        raise RunInterruptedError(reason, hint="Run the same command again.", state=_STATE) from interruption


def _read_url(remote: Remote, connection: Connection) -> str:
    """Return the URL that a run on the machine would use."""
    environment = remote.environment
    try:
        answer = connection.run(
            wrap(_READ_URL),
            hide=True,
            warn=True,
            in_stream=False,
            encoding="utf-8",
            timeout=environment.fly_timeouts.call_s,
        )
    except Exception as error:
        # Its text may contain what the command printed, which is the URL.
        raise TunnelError(
            f"the URL of the database cannot be read on machine {remote.machine_id} of {environment.fly_app}:"
            f" {type(error).__name__}",
            hint=f"Check the machine: {compose_command('env.check', env=environment.name)}",
            state=_STATE,
        ) from None
    url = str(answer.stdout).strip()
    if not url:
        raise RunnerError(
            f"DATABASE_URL is not set on machine {remote.machine_id} of {environment.fly_app}",
            hint=f"Check the machine: {compose_command('env.check', env=environment.name)}",
            state=_STATE,
        )
    return url


def _read_parameters(url: str, environment: str) -> dict[str, str]:
    """Return the parameters of a URL, without what only the machine has; variables of this process add nothing."""
    fault = find_fault(url)
    if fault:
        raise RunnerError(f"the DATABASE_URL of {show_name(environment)} cannot be used: {fault}", state=_STATE)
    stated = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    if "service" in stated or not stated.keys() & {"host", "hostaddr"}:
        raise RunnerError(
            f"the DATABASE_URL of {show_name(environment)} names no host, so the database cannot be reached from here",
            hint="Set a URL with a host on the machine: fly secrets set",
            state=_STATE,
        )
    return stated


def _forward(remote: Remote, parameters: dict[str, str], stack: ExitStack) -> dict[str, str]:
    """Open a proxy for each host that needs one, and return the parameters with its local address and port."""
    hosts = (parameters.get("hostaddr") or parameters["host"]).split(",")
    addresses, ports = [], []
    for host, stated in zip(hosts, cycle(parameters.get("port", _PORT).split(",")), strict=False):
        target, port = _find_target(remote, host), stated or _PORT
        ports.append(str(_open(remote, target, int(port), stack)) if target else port)
        addresses.append(_LOCAL if target else host if "hostaddr" in parameters else "")
    kept = {name: value for name, value in parameters.items() if name not in _NOT_PASSED}
    changed = {"host": kept.get("host", ",".join(hosts)), "port": ",".join(ports)}
    if any(addresses):
        changed["hostaddr"] = ",".join(addresses)
    return {**kept, **changed}


def _open(remote: Remote, host: str, port: int, stack: ExitStack) -> int:
    environment = remote.environment
    return stack.enter_context(open_proxy(environment.fly_app, host, port, remote.stop, environment.fly_timeouts))


def _find_target(remote: Remote, host: str) -> str:
    """Return the host that the proxy forwards to, empty if the database is reached directly."""
    if host.startswith(("/", "@")):
        raise RefusedError(
            f"the database of {show_name(remote.environment.name)} is reached by a socket on the machine, not through a proxy",
            hint=f"Use psql on the machine: fly ssh console -a {remote.environment.fly_app}",
            state=_STATE,
        )
    if is_loopback(host):
        # What is local to the machine is at the machine's address.
        return remote.find_machine(remote.machine_id).address
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return host if address in FLY_NETWORK or not address.is_global else ""
    return host if "." not in host or host.lower().rstrip(".").endswith(_FLY_DOMAINS) else ""
