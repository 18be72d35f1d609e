"""A machine: its record in Fly's API, its files and its processes."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tasks.postgres.server.folder_lock import lock
from tests.kit.fly import boot
from tests.kit.fly.certificates import write_key_pair
from tests.kit.fly.hallpass import read_environment
from tests.kit.fly.images import copy_files
from tests.kit.fly.state import FlyState, MachineFolder, Record, hallpass_command, read_json, read_json_lines, write_atomically
from tests.kit.processes import end_processes, find_processes
from tests.kit.waiting import LIMIT_S

_CREATED = "2026-08-21T10:00:00Z"


def make_record(app: str, **properties: Any) -> Record:
    """Return the record of a new machine as `fly machine list --json` prints it; `properties` replace the defaults."""
    machine_id = secrets.token_hex(7)
    group = properties.pop("group", "app")
    release = properties.pop("release", 1)
    metadata = {"fly_platform_version": "v2", "fly_process_group": group, "fly_release_version": str(release)}
    return {
        "id": machine_id,
        "name": f"{secrets.choice(('damp', 'red', 'shy'))}-wind-{secrets.randbelow(10_000)}",
        "state": "started",
        "region": "ams",
        "image_ref": {"registry": "registry.fly.io", "repository": app, "tag": "deployment-1", "digest": "sha256:0"},
        "instance_id": secrets.token_hex(13).upper(),
        "private_ip": f"fdaa:0:{secrets.token_hex(2)}:a7b:{secrets.token_hex(2)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}:2",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "config": {"env": {"FLY_PROCESS_GROUP": group}, "metadata": metadata, "image": f"registry.fly.io/{app}"},
        "events": [],
        "checks": [],
        "host_status": "ok",
        **properties,
    }


@dataclass(frozen=True)
class FlyMachine:
    """A machine of an app."""

    state: FlyState
    app_name: str
    id: str

    @property
    def folder(self) -> MachineFolder:
        """Return the machine's files."""
        return self.state.machine_folder(self.id)

    @property
    def app(self) -> Path:
        """Return the folder that stands for /app."""
        return self.folder.app

    @property
    def record(self) -> Record:
        """Return the machine's record in Fly's API."""
        app = self.state.read_app(self.app_name) or {}
        return next(record for record in app["machines"] if record["id"] == self.id)

    def change_record(self, **properties: Any) -> None:
        """Change the machine's record in Fly's API."""
        with self.state.change_app(self.app_name) as app:
            next(record for record in app["machines"] if record["id"] == self.id).update(properties)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of commands on the machine."""
        return read_environment(str(self.folder.environment))

    def change_environment(self, **variables: str | None) -> None:
        """Set variables on the machine, and remove those that are None."""
        changed = {**self.environment, **variables}
        entries = [f"{name}={value}\0" for name, value in changed.items() if value is not None]
        write_atomically(self.folder.environment, "".join(entries))

    @property
    def ssh_port(self) -> int:
        """Return the port of the machine's SSH server on this computer."""
        return boot.find_port(self.state, self.folder)

    @property
    def connections(self) -> int:
        """Return the number of connections through proxies, refused ones included."""
        return len(read_json_lines(self.folder.dials))

    @property
    def commands(self) -> list[str]:
        """Return the commands that were sent to the machine."""
        return self.folder.commands.read_text().split("\0")[:-1] if self.folder.commands.exists() else []

    def run_command(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine without SSH, as a release command runs."""
        environment = {**os.environ, "SSH_ORIGINAL_COMMAND": command}
        words = hallpass_command(self.state.settings["python"], self.folder)
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    def processes(self, containing: str = "") -> list[psutil.Process]:
        """Return the processes of the machine with this text in their command line, without its SSH server."""
        return find_processes(self.id, lambda process: self._owns(process, containing))

    def kill(self, containing: str = "", number: int = signal.SIGKILL) -> int:
        """Send a signal to those processes and return their number."""
        processes = self.processes(containing)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return len(processes)

    def refuse(self, times: int) -> None:
        """Make the next connections fail, as they do while the SSH server of a new machine starts."""
        self._set_faults(refusals=times)

    def fall_silent(self) -> None:
        """Accept connections from now on without ever answering."""
        self._set_faults(silent=True)

    def lose_logins(self, times: int) -> None:
        """Close the next connections while they log in; only paramiko's server has this fault."""
        self._set_faults(lost_logins=times)

    def stop(self) -> None:
        """Stop the machine and kill its processes."""
        self.change_record(state="stopped")
        self.end()

    def end(self) -> None:
        """Kill all processes of the machine, its SSH server included."""
        with lock(self.folder.path):
            end_processes(self._find_server() + self.processes())
            self.folder.server.unlink(missing_ok=True)
        boot.reap_servers()

    def change_host_key(self) -> None:
        """Replace the key of the SSH server, as a deploy does, and restart the server."""
        self.end()
        write_key_pair(self.folder.host_key)

    def start_in(self, folder: Path) -> None:
        """Start commands in this folder from now on; on Fly it is `/` or the WORKDIR of the image."""
        link = self.folder.path / "cwd"
        link.unlink(missing_ok=True)
        link.symlink_to(folder)

    def deploy(self, files: Path) -> None:
        """Copy the migrations and seeds of a project folder to the machine."""
        copy_files(self.folder, files)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file of /app, so that the machine has another version of the tool."""
        path = self.app / file
        text = path.read_text()
        assert old in text, f"{file} does not contain {old!r}"
        path.write_text(text.replace(old, new))

    def fill_disk(self) -> None:
        """Fill the machine's disk, which must be a small one, to the last byte."""
        assert os.path.ismount(self.folder.disk), "the machine has no small disk; add it with disk_megabytes"
        with (self.folder.disk / "filling").open("wb", buffering=0) as file:
            block = bytes(65536)
            while block:
                try:
                    file.write(block)
                except OSError:
                    block = block[: len(block) // 2]

    def _set_faults(self, **faults: Any) -> None:
        with lock(self.folder.path):
            write_atomically(self.folder.faults, json.dumps({**read_json(self.folder.faults, {}), **faults}))

    def _find_server(self) -> list[psutil.Process]:
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            server = psutil.Process(json.loads(self.folder.server.read_text())["pid"])
            return [server, *server.children(recursive=True)]
        return []

    def _owns(self, process: psutil.Process, containing: str) -> bool:
        return process.environ().get("FLY_MACHINE_ID") == self.id and containing in " ".join(process.cmdline())


def make_machine(
    state: FlyState, record: Record, app_name: str, environment: dict[str, str], *, starts_in_app: bool
) -> FlyMachine:
    """Make the files of a machine, except those on its disk."""
    machine = FlyMachine(state, app_name, record["id"])
    machine.folder.disk.mkdir(parents=True)
    write_key_pair(machine.folder.host_key)
    machine.start_in(machine.app if starts_in_app else machine.folder.disk)
    machine.folder.environment.touch()
    machine.change_environment(**environment)
    return machine


def describe_environment(machine: MachineFolder, record: Record, app_name: str) -> dict[str, str]:
    """Return the variables that Fly and the image set: https://fly.io/docs/machines/runtime-environment/."""
    programs: Sequence[str] = (str(machine.disk / "bin"), "/usr/local/bin", "/usr/bin", "/bin")
    return {
        "PATH": ":".join(programs),
        "HOME": str(machine.disk / "home"),
        "TMPDIR": str(machine.temporary),
        "LANG": "C.UTF-8",
        "FLY_APP_NAME": app_name,
        "FLY_MACHINE_ID": machine.id,
        "FLY_ALLOC_ID": machine.id,
        "FLY_REGION": record["region"],
        "FLY_PRIVATE_IP": record["private_ip"],
    }
