"""The state of the stand-in in a folder: apps, machines, tokens, faults. The test and the `fly` program share it.

Only the standard library is imported: `fly` and the machines start Python without site-packages, which is faster.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.postgres.server.folder_lock import lock

Record = dict[str, Any]
"""A machine or an app, as Fly's API returns it in JSON."""

APP_DIRECTORY_VARIABLE = "APP_DIR"
"""The variable of a machine that names the folder of the app, since the stand-in has no /app."""


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a concurrent reader sees either the old text or the new one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)


def read_json(path: Path, default: Any) -> Any:
    """Read a JSON file; return `default` if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return default


def append_json(path: Path, value: object) -> None:
    """Add one line to a file of JSON lines."""
    with path.open("a") as file:
        file.write(json.dumps(value) + "\n")


def read_json_lines(path: Path) -> list[Any]:
    """Read a file of JSON lines; return an empty list if there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class MachineFolder:
    """The files of one machine: `disk` is what the machine sees, the others belong to the stand-in."""

    path: Path

    @property
    def id(self) -> str:
        """Return the machine's id."""
        return self.path.name

    @property
    def disk(self) -> Path:
        """Return the machine's disk: its app, its programs, its temporary files."""
        return self.path / "disk"

    @property
    def app(self) -> Path:
        """Return the folder that stands for /app."""
        return self.disk / "app"

    @property
    def temporary(self) -> Path:
        """Return the folder that stands for /tmp; the machine's TMPDIR names it."""
        return self.disk / "tmp"

    @property
    def environment(self) -> Path:
        """Return the file of the machine's environment."""
        return self.path / "environment"

    @property
    def host_key(self) -> Path:
        """Return the file of the SSH server's own key."""
        return self.path / "host_key"

    @property
    def server(self) -> Path:
        """Return the file with the pid and the port of the running SSH server."""
        return self.path / "server.json"

    @property
    def faults(self) -> Path:
        """Return the file with the faults of the machine's SSH server."""
        return self.path / "faults.json"

    @property
    def dials(self) -> Path:
        """Return the file with a line for each connection that came through a proxy."""
        return self.path / "dials.jsonl"

    @property
    def commands(self) -> Path:
        """Return the file with the commands that were run over SSH, each ended by a NUL."""
        return self.path / "commands"


def hallpass_command(python: str, machine: MachineFolder) -> list[str]:
    """Return the command that runs the text in SSH_ORIGINAL_COMMAND on the machine."""
    return [python, "-SE", str(Path(__file__).with_name("hallpass.py")), str(machine.path)]


@dataclass(frozen=True)
class FlyState:
    """The folder of one stand-in."""

    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of the stand-in: paths of programs, the kind of SSH server, the folder of the repository."""
        return dict(read_json(self.folder / "settings.json", {}))

    @property
    def tokens(self) -> dict[str, dict[str, str]]:
        """Return the rights of each token: its kind, organisation and app."""
        return dict(read_json(self.folder / "tokens.json", {}))

    @property
    def faults(self) -> Record:
        """Return the faults of the `fly` program."""
        return dict(read_json(self.folder / "faults.json", {}))

    @property
    def hosts(self) -> dict[str, str]:
        """Return the sockets of other hosts in the private network, by host and port."""
        return dict(read_json(self.folder / "hosts.json", {}))

    @property
    def authority(self) -> Path:
        """Return the file of the key that signs certificates; its public half is beside it."""
        return self.folder / "authority"

    @property
    def proxies(self) -> Path:
        """Return the folder with a file for each started proxy."""
        return self.folder / "proxies"

    @property
    def calls(self) -> Path:
        """Return the file with a line for each call of `fly`."""
        return self.folder / "calls.jsonl"

    def write(self, name: str, value: object) -> None:
        """Write one of the JSON files."""
        write_atomically(self.folder / f"{name}.json", json.dumps(value))

    def machine_folder(self, machine_id: str) -> MachineFolder:
        """Return the folder of a machine."""
        return MachineFolder(self.folder / "machines" / machine_id)

    def read_apps(self) -> list[Record]:
        """Return all apps."""
        return [json.loads(path.read_text()) for path in sorted((self.folder / "apps").glob("*.json"))]

    def read_app(self, name: str) -> Record | None:
        """Return one app with its machines, or None if there is no such app."""
        app: Record | None = read_json(self.folder / "apps" / f"{name}.json", None)
        return app

    @contextmanager
    def change_app(self, name: str) -> Iterator[Record]:
        """Yield an app and write it back afterwards; no other process changes an app meanwhile."""
        with lock(self.folder / "apps"):
            app = self.read_app(name) or {}
            yield app
            self.write(f"apps/{name}", app)

    def find_machine(self, address: str) -> Record | None:
        """Return the machine with a 6PN address, or None if there is none."""
        machines = [machine for app in self.read_apps() for machine in app["machines"]]
        return next((dict(machine) for machine in machines if machine["private_ip"] == address), None)
