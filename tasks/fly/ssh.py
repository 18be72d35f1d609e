"""A Fabric connection to a machine through `fly proxy`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric import Config, Connection, Remote
from paramiko import AuthenticationException, SSHException
from paramiko.ssh_exception import NoValidConnectionsError

from tasks.config.timeouts import DEFAULT_TIMEOUTS, Timeouts
from tasks.fly.flyctl import find_organisation, issue_certificate
from tasks.fly.machines import Machine
from tasks.fly.proxy import TunnelError, open_proxy
from tasks.programs.temporary_folder import make_private_temporary_folder
from tasks.runner.command_lines import quote_words
from tasks.runner.signals import Stop

# Without a handler, Python prints the tracebacks that paramiko logs for each refused connection. Its exceptions are reported.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_SSH_PORT = 22
_KEEPALIVE_S = 15
"""How often a packet is sent, so that the connection stays open while a question is not answered."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_LONGEST_ANSWER_S = 10.0
"""How long one attempt waits for the banner of the ssh server."""
_INTERRUPTED = ("Authentication timeout.", "Authentication failed: transport shut down or saw EOF")
"""The errors of paramiko for a login without an answer; they have the class of one that is refused."""


class _Runner(Remote):  # type: ignore[misc]
    """Fabric's runner without the search for prompts, which joins all output again at every chunk."""

    read_chunk_size = 65536

    def respond(self, buffer_: list[str]) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class SshConnection:
    """A machine and the user to connect as."""

    app: str
    machine: Machine
    user: str = "root"
    organisation: str = ""
    """The organisation of the app; empty if it must be looked up."""
    timeouts: Timeouts = DEFAULT_TIMEOUTS


@contextmanager
def open_connection(target: SshConnection, stop: Stop) -> Iterator[Connection]:
    """Connect to a machine; the certificate, the proxy and the connection end with the block.

    The user's ssh configuration is not read: a `Host *` in it would change the address. Host keys are not checked, because they
    change with each deploy; the machine is identified by its address in the private network, which WireGuard authenticates.
    """
    with make_private_temporary_folder() as folder:
        organisation = target.organisation or find_organisation(target.app, stop, target.timeouts)
        key = issue_certificate(organisation, folder, target.user, stop, target.timeouts)
        with open_proxy(target.app, target.machine.address, _SSH_PORT, stop, target.timeouts) as port:
            connection = _build_connection(port, key, target)
            try:
                _enter(connection, target, stop)
                yield connection
            finally:
                with suppress(Exception):
                    connection.close()


def _build_connection(port: int, key: Path, target: SshConnection) -> Connection:
    config = Config(
        lazy=True,
        overrides={"load_ssh_configs": False, "run": {"in_stream": False, "pty": False}, "runners": {"remote": _Runner}},
    )
    answer_s = min(_LONGEST_ANSWER_S, target.timeouts.connect_s)
    options: dict[str, Any] = {
        "key_filename": str(key),
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": answer_s,
        "auth_timeout": answer_s,
    }
    return Connection(
        "127.0.0.1", user=target.user, port=port, connect_timeout=10, inline_ssh_env=False, config=config, connect_kwargs=options
    )


def _enter(connection: Connection, target: SshConnection, stop: Stop) -> None:
    """Open the connection, with retries until the ssh server of the machine is up."""
    deadline, pause = time.monotonic() + target.timeouts.connect_s, _FIRST_PAUSE_S
    app = quote_words(target.app)
    while True:
        try:
            connection.open()
            connection.transport.set_keepalive(_KEEPALIVE_S)
            return
        except (SSHException, NoValidConnectionsError, EOFError, OSError) as error:
            connection.client.close()
            if isinstance(error, AuthenticationException) and str(error) not in _INTERRUPTED:
                raise TunnelError(
                    f"machine {target.machine.id} of {target.app} refuses the certificate",
                    hint=f"It may have expired, or user {target.user} may not log in. Try: fly ssh console -a {app}",
                    state="Nothing was changed.",
                ) from error
            if time.monotonic() + pause > deadline:
                raise TunnelError(
                    f"no ssh connection to machine {target.machine.id} of {target.app}: {str(error) or type(error).__name__}",
                    hint=f"Check the machine: fly machine status {quote_words(target.machine.id)} -a {app}",
                    state="Nothing was changed.",
                ) from error
        stop.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
