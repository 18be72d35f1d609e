"""The SSH server of a machine where OpenSSH is not installed: `python -m tests.kit.fly.server STATE MACHINE`.

Unlike OpenSSH it can report status 4294967295 for a killed command, as Fly's server does.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko

from tasks.postgres.server.folder_lock import lock
from tests.kit.fly.certificates import find_fault
from tests.kit.fly.sftp import DiskFiles
from tests.kit.fly.state import FlyState, MachineFolder, hallpass_command, read_json, write_atomically

KILLED = 0xFFFFFFFF
_BLOCK = 32768
_ENVIRONMENT = ("FLY_SSH_CONTAINER", "FLY_SSH_MACHINE")


class SshServer(paramiko.ServerInterface):  # type: ignore[misc]
    """The rights of one connection: log in with a certificate of the authority, run commands, transfer files."""

    def __init__(self, machine: MachineFolder, authority: Path, transport: paramiko.Transport) -> None:
        self._machine = machine
        self._transport = transport
        self._authority = authority
        self._environments: dict[int, dict[str, str]] = {}
        self._terminals: set[int] = set()

    def get_allowed_auths(self, username: str) -> str:
        """Return the only method of authentication."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Accept a valid certificate; paramiko checks that the client has its key."""
        if self._is_lost():
            self._transport.close()
            return int(paramiko.AUTH_FAILED)
        blob = key.public_blob
        certificate = blob and f"{blob.key_type} {base64.b64encode(blob.key_blob).decode()}".encode()
        fault = find_fault(certificate, self._authority, username) if certificate else "not a certificate"
        print(f"{username}: {fault or 'accepted'}", flush=True)
        return int(paramiko.AUTH_FAILED if fault else paramiko.AUTH_SUCCESSFUL)

    def _is_lost(self) -> bool:
        """Return True if the machine has the fault that this login is lost, and count it."""
        with lock(self._machine.path):
            faults = read_json(self._machine.faults, {})
            lost = int(faults.get("lost_logins", 0))
            write_atomically(self._machine.faults, json.dumps({**faults, "lost_logins": max(lost - 1, 0)}))
        return lost > 0

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Accept sessions and refuse forwarding."""
        return int(paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        """Accept the two variables that Fly's server accepts."""
        if name.decode() not in _ENVIRONMENT:
            return False
        self._environments.setdefault(channel.get_id(), {})[name.decode()] = value.decode()
        return True

    def check_channel_pty_request(self, channel: paramiko.Channel, *size: object) -> bool:
        """Run the command of the session in a terminal."""
        self._terminals.add(channel.get_id())
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        """Start a shell."""
        return self.check_channel_exec_request(channel, b"")

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Start a command."""
        environment = self._environments.get(channel.get_id(), {}) | {"SSH_ORIGINAL_COMMAND": command.decode()}
        run = _run_in_terminal if channel.get_id() in self._terminals else _run
        words = hallpass_command(sys.executable, self._machine)
        threading.Thread(target=run, args=(channel, words, environment), daemon=True).start()
        return True


def _run(channel: paramiko.Channel, words: list[str], environment: dict[str, str]) -> None:
    """Run a command with pipes; when the connection is lost, the command runs until it writes."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    stdin = process.stdin
    threading.Thread(target=_feed, args=(channel, stdin.fileno(), stdin.close), daemon=True).start()
    outputs = [
        threading.Thread(target=_drain, args=(process.stdout.fileno(), channel.sendall, process.stdout.close)),
        threading.Thread(target=_drain, args=(process.stderr.fileno(), channel.sendall_stderr, process.stderr.close)),
    ]
    for output in outputs:
        output.start()
    status = process.wait()
    for output in outputs:
        output.join()
    _finish(channel, status)


def _run_in_terminal(channel: paramiko.Channel, words: list[str], environment: dict[str, str]) -> None:
    """Run a command in a terminal, which joins stderr with stdout."""
    ours, theirs = os.openpty()
    environment = {**environment, "TERM": "xterm"}
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    threading.Thread(target=_feed, args=(channel, ours, lambda: None), daemon=True).start()
    _drain(ours, channel.sendall, lambda: None)
    _finish(channel, process.wait())


def _feed(channel: paramiko.Channel, handle: int, close: Callable[[], None]) -> None:
    try:
        while data := channel.recv(_BLOCK):
            os.write(handle, data)
    except OSError:
        return
    finally:
        close()


def _drain(handle: int, send: Callable[[bytes], None], close: Callable[[], None]) -> None:
    try:
        while data := os.read(handle, _BLOCK):
            send(data)
    except OSError:
        return
    finally:
        close()


def _finish(channel: paramiko.Channel, status: int) -> None:
    try:
        channel.send_exit_status(status if status >= 0 else KILLED)
    except OSError:
        return
    channel.close()


def _serve(connection: socket.socket, machine: MachineFolder, authority: Path) -> None:
    transport = paramiko.Transport(connection)
    transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(machine.host_key)))
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, DiskFiles, machine)
    try:
        transport.start_server(server=SshServer(machine, authority, transport))
    except (paramiko.SSHException, EOFError):
        transport.close()


def main(state: FlyState, machine: MachineFolder) -> None:
    """Serve until killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_atomically(machine.path / "port", str(listener.getsockname()[1]))
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, machine, state.authority), daemon=True).start()


if __name__ == "__main__":
    opened = FlyState(Path(sys.argv[1]))
    main(opened, opened.machine_folder(sys.argv[2]))
