"""Starting a machine's SSH server at the first connection."""

import json
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tasks.postgres.server.folder_lock import lock
from tests.kit.fly.state import FlyState, MachineFolder, hallpass_command, read_json, write_atomically
from tests.kit.waiting import LIMIT_S

SSHD = "sshd"
PYTHON = "python"

_started: list["subprocess.Popen[bytes]"] = []
_SFTP_PROGRAMS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
)
_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
AddressFamily inet
HostKey "{host_key}"
PidFile none
TrustedUserCAKeys "{authority}.pub"
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
ForceCommand {command}
Subsystem sftp {sftp_program}
AcceptEnv FLY_SSH_CONTAINER FLY_SSH_MACHINE
AllowTcpForwarding no
AllowAgentForwarding no
X11Forwarding no
PermitUserRC no
PrintMotd no
PrintLastLog no
MaxAuthTries 3
MaxStartups 100
# A bash that is started by SSH reads ~/.bashrc, but not inside another shell.
SetEnv SHLVL=2
"""


def find_sshd() -> dict[str, str] | None:
    """Return the paths of OpenSSH's server programs on this computer, or None if they cannot be used."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/lib/ssh")
    sftp_program = next((path for path in _SFTP_PROGRAMS if os.access(path, os.X_OK)), None)
    if program is None or sftp_program is None or not _may_log_in():
        return None
    return {"sshd": program, "sftp_program": sftp_program}


def reap_servers() -> None:
    """Collect the exit codes of servers that this process started and that have ended."""
    _started[:] = [process for process in _started if process.poll() is None]


def find_port(state: FlyState, machine: MachineFolder) -> int:
    """Return the port of the machine's SSH server; start the server if it does not run."""
    with lock(machine.path):
        running = read_json(machine.server, None)
        if running is None:
            running = _start_sshd(state, machine) if state.settings["server"] == SSHD else _start_python(state, machine)
            write_atomically(machine.server, json.dumps(running))
        return int(running["port"])


def _start_sshd(state: FlyState, machine: MachineFolder) -> dict[str, int]:
    if os.geteuid() == 0:
        # The folder of sshd's unprivileged process: https://man.openbsd.org/sshd#/var/empty
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = machine.path / "sshd.log"
    for _ in range(5):
        port = _choose_port()
        program = state.settings["sshd"]
        command = [program, "-D", "-f", str(_configure_sshd(state, machine, port)), "-E", str(log)]
        log.write_text("")
        process = _start(command, log)
        # Another process may have taken the port meanwhile.
        if _wait(lambda: "Server listening" in log.read_text(), process):
            return {"pid": process.pid, "port": port}
    raise RuntimeError(f"sshd did not start:\n{log.read_text()}")


def _configure_sshd(state: FlyState, machine: MachineFolder, port: int) -> Path:
    settings = state.settings
    path = machine.path / "sshd_config"
    text = _CONFIGURATION.format(
        port=port,
        host_key=machine.host_key,
        authority=state.authority,
        command=shlex.join(hallpass_command(settings["python"], machine)),
        sftp_program=settings["sftp_program"],
    )
    if os.geteuid() != 0:
        # Without root, sshd accepts only its own account; the principals are the names in the certificate.
        principals = machine.path / "principals"
        principals.write_text("root\nfly\n")
        text += f'AuthorizedPrincipalsFile "{principals}"\n'
    # OpenSSH 9.8 and newer refuse a client for a while after a failed login; older ones do not know this option.
    path.write_text(f"{text}PerSourcePenalties no\n")
    if subprocess.run([settings["sshd"], "-t", "-f", str(path)], capture_output=True, check=False).returncode != 0:
        path.write_text(text)
    return path


def _start_python(state: FlyState, machine: MachineFolder) -> dict[str, int]:
    port_file = machine.path / "port"
    port_file.unlink(missing_ok=True)
    log = machine.path / "server.log"
    command = [state.settings["python"], "-m", "tests.kit.fly.server", str(state.folder), machine.id]
    process = _start(command, log, cwd=state.settings["repository"])
    if not _wait(port_file.exists, process):
        raise RuntimeError(f"the SSH server did not start:\n{log.read_text()}")
    return {"pid": process.pid, "port": int(port_file.read_text())}


def _start(command: list[str], log: Path, cwd: str | None = None) -> "subprocess.Popen[bytes]":
    """Start a server that outlives this process."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, start_new_session=True
        )
    _started.append(process)
    return process


def _wait(is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        if is_ready():
            return True
        time.sleep(0.005)
    return False


def _choose_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _may_log_in() -> bool:
    """Return True if OpenSSH accepts this account: it needs a shell, and root a password that is not locked."""
    account = pwd.getpwuid(os.geteuid())
    if Path(account.pw_shell).name in ("nologin", "false"):
        return False
    # Without root, sshd cannot read it.
    lines = Path("/etc/shadow").read_text().splitlines() if os.geteuid() == 0 else []
    return not any(line.startswith(f"{account.pw_name}:!") for line in lines)
