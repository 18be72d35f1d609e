"""A Fabric connection to a machine, through a proxy of our own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric import Config, Connection, Remote
from paramiko import AuthenticationException, SSHException
from paramiko.ssh_exception import NoValidConnectionsError

from tasks.fly.flyctl import find_organisation, issue_certificate
from tasks.fly.machines import Machine
from tasks.fly.proxy import TunnelError, make_key_folder, open_proxy
from tasks.fly.timeouts import read_patience
from tasks.runner.signals import Stop

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_LONGEST_ANSWER_S = 10.0
"""How long one try waits for the first word of a machine's ssh."""


class _Runner(Remote):  # type: ignore[misc]
    """Run commands as Fabric does, but for its search for prompts to answer, which joins all output anew at every piece."""

    read_chunk_size = 65536

    def respond(self, buffer_: list[str]) -> None:
        """Answer nothing."""


@dataclass(frozen=True, slots=True)
class SshConnection:
    """Name a machine and how to enter it."""

    app: str
    machine: Machine
    user: str = "root"


@contextmanager
def open_connection(reach: SshConnection, stop: Stop) -> Iterator[Connection]:
    """Connect to a machine; the certificate, the proxy and the connection are gone when the block ends.

    Nothing of the user's own ssh set-up is read: a `Host *` there would lead elsewhere. Host keys are not checked, because they
    change with each deploy; the machine is known by its address in the private network, which WireGuard vouches for.
    """
    with make_key_folder() as folder:
        key = issue_certificate(find_organisation(reach.app, stop), folder, reach.user, stop)
        with open_proxy(reach.app, reach.machine, stop) as port:
            connection = _build_connection(port, key, reach.user)
            try:
                _enter(connection, reach, stop)
                yield connection
            finally:
                with suppress(Exception):
                    connection.close()


def _build_connection(port: int, key: Path, user: str) -> Connection:
    config = Config(
        lazy=True,
        overrides={"load_ssh_configs": False, "run": {"in_stream": False, "pty": False}, "runners": {"remote": _Runner}},
    )
    answer_s = min(_LONGEST_ANSWER_S, read_patience().connect_s)
    options: dict[str, Any] = {
        "key_filename": str(key),
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": answer_s,
        "auth_timeout": answer_s,
    }
    return Connection(
        "127.0.0.1", user=user, port=port, connect_timeout=10, inline_ssh_env=False, config=config, connect_kwargs=options
    )


def _enter(connection: Connection, reach: SshConnection, stop: Stop) -> None:
    """Open the connection, again and again while the machine's ssh is not up yet."""
    deadline, pause = time.monotonic() + read_patience().connect_s, _FIRST_PAUSE_S
    while True:
        try:
            connection.open()
            return
        except AuthenticationException as error:
            raise TunnelError(
                f"the machine {reach.machine.id} of {reach.app} refuses the certificate",
                hint=f"Has it expired, or may the user {reach.user} not enter? `fly ssh console -a {reach.app}` tries the same.",
                state="Nothing was changed.",
            ) from error
        except (SSHException, NoValidConnectionsError, EOFError, OSError) as error:
            connection.client.close()
            if time.monotonic() + pause > deadline:
                raise TunnelError(
                    f"no ssh with the machine {reach.machine.id} of {reach.app}: {str(error) or type(error).__name__}",
                    hint=f"Is the machine up? fly machine status {reach.machine.id} -a {reach.app}",
                    state="Nothing was changed.",
                ) from error
        stop.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
