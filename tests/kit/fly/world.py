"""Fly.io for a test: apps with machines and databases, the `fly` program, and their faults."""

import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.kit.databases import Database
from tests.kit.disks import mount_small_disk
from tests.kit.fly import boot, home
from tests.kit.fly.certificates import write_key_pair
from tests.kit.fly.images import Image, unpack_image
from tests.kit.fly.machines import FlyMachine, describe_environment, make_machine, make_record
from tests.kit.fly.proxies import Proxy, find_proxies
from tests.kit.fly.relays import call_relay
from tests.kit.fly.state import APP_DIRECTORY_VARIABLE, FlyState, Record, read_json_lines
from tests.kit.processes import end_processes, find_processes
from tests.kit.projects import REPOSITORY

_PROGRAM = """\
import gc, os, sys
gc.disable()
sys.path.insert(0, {repository!r})
from tests.kit.fly.program.main import main
code = main({folder!r})
sys.stdout.flush()
os._exit(code)
"""
"""It runs often, so it skips the collection of garbage and the cleaning of memory at its end."""
_VARIABLES = {"WATCH_DRIFT": "off"}
_TRAPS = {"SLOGAN": """it's  "two  words" $HOME `id` \\ *""", "EMPTY": ""}


@dataclass
class FlyWorld:
    """A stand-in for Fly, for one test."""

    state: FlyState
    env: dict[str, str]
    _stack: ExitStack = field(repr=False)
    _apps: dict[str, list[FlyMachine]] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """Return the account to log in as: root, or this account where OpenSSH runs without root."""
        is_restricted = self.state.settings["server"] == boot.SSHD and os.geteuid() != 0
        return psutil.Process().username() if is_restricted else "root"

    def add_app(
        self,
        name: str,
        database: Database | None = None,
        *,
        environment: str = "",
        org: str = "gaia",
        machines: int = 1,
        **properties: Any,
    ) -> list[FlyMachine]:
        """Add an app and its machines for an environment, by default the one after the last hyphen of the name.

        `properties` are arguments of `add_machine`.
        """
        self.state.write(f"apps/{name}", {"name": name, "org": org, "machines": []})
        self._apps[name] = []
        self.env[f"FLY_APP_{(environment or name.rpartition('-')[2]).upper()}"] = name
        return [self.add_machine(name, database, **properties) for _ in range(machines)]

    def add_machine(
        self,
        app: str,
        database: Database | None = None,
        *,
        image: Image | None = None,
        files: Path = REPOSITORY,
        variables: Mapping[str, str] | None = None,
        starts_in_app: bool = False,
        disk_megabytes: int | None = None,
        **properties: Any,
    ) -> FlyMachine:
        """Add a machine to an app: with this image, the migrations and seeds in `files`, and these variables.

        `properties` are `group`, `release` and the fields of `fly machine list --json`, as in `state="stopped"`.
        """
        record = make_record(app, **properties)
        folder = self.state.machine_folder(record["id"])
        settled = describe_environment(folder, record, app) | _TRAPS | _VARIABLES | {APP_DIRECTORY_VARIABLE: str(folder.app)}
        if database is not None:
            settled["DATABASE_URL"] = set_trap(database.url)
        machine = make_machine(self.state, record, app, settled | dict(variables or {}), starts_in_app=starts_in_app)
        if disk_megabytes is not None:
            self._stack.enter_context(mount_small_disk(folder.disk, disk_megabytes))
            # Its processes must end before the disk is unmounted.
            self._stack.callback(machine.end)
        unpack_image(image or Image(), folder, files)
        with self.state.change_app(app) as changed:
            changed["machines"].append(record)
        self._apps[app].append(machine)
        return machine

    def add_release_machine(self, app: str) -> Record:
        """Add the machine of a release command: listed as started, but without an SSH server."""
        record = make_record(app, group="fly_app_release_command")
        with self.state.change_app(app) as changed:
            changed["machines"].append(record)
        return record

    def machine(self, app: str) -> FlyMachine:
        """Return the first machine of an app."""
        return self._apps[app][0]

    def machines(self, app: str) -> Sequence[FlyMachine]:
        """Return the machines of an app."""
        return self._apps[app]

    @property
    def calls(self) -> list[list[str]]:
        """Return the arguments of each call of `fly`."""
        return list(read_json_lines(self.state.calls))

    def add_host(self, host: str, port: int, path: Path) -> None:
        """Add a host to the private network, whose port is forwarded to a socket: that of a database, or none yet."""
        self.state.write("hosts", {**self.state.hosts, f"{host}:{port}": str(path)})

    def add_token(self, kind: str, *, org: str = "gaia", app: str = "") -> str:
        """Return a new token with fewer rights: `deploy` or `ssh` for one app, `readonly` or `org` for an organisation."""
        token = f"FlyV1 fm2_{secrets.token_hex(16)}"
        right = {"kind": kind, "org": org} | ({"app": app} if app else {})
        self.state.write("tokens", {**self.state.tokens, token: right})
        return token

    def limit_certificates(self, seconds: int) -> None:
        """Make certificates expire after `seconds` from now on; with a negative number they have expired already."""
        self._set_faults(certificate_seconds=seconds)

    def fail(self, command: str, message: str) -> None:
        """Make a command such as `ssh issue` fail."""
        self._set_faults(fail={command: message})

    def hang(self, command: str) -> None:
        """Make a command hang."""
        self._set_faults(hang=[command])

    def garble(self, command: str) -> None:
        """Make a command succeed and print something other than JSON."""
        self._set_faults(garble=[command])

    def add_noise(self) -> None:
        """Make every command print a warning on stderr."""
        self._set_faults(noise=True)

    def clear_faults(self) -> None:
        """Make `fly` work again."""
        self.state.write("faults", {})

    def proxies(self) -> list[Proxy]:
        """Return the running proxies."""
        return find_proxies(self.state)

    def kill_proxy(self) -> None:
        """Kill every proxy."""
        for proxy in self.proxies():
            proxy.kill()

    def freeze_proxy(self) -> None:
        """Freeze every proxy; its connections stay open."""
        for proxy in self.proxies():
            proxy.freeze()

    def assert_home_untouched(self) -> None:
        """Fail if anything in ~/.ssh was read or written."""
        traces = home.find_traces(Path(self.env["HOME"]))
        assert not traces, f"in ~/.ssh: {', '.join(traces)}"

    def close(self) -> None:
        """Kill all processes of the stand-in."""
        for proxy in self.proxies():
            proxy.kill()
        for machines in self._apps.values():
            for machine in machines:
                machine.end()
        folder = str(self.state.folder)
        end_processes(find_processes(folder, lambda process: any(folder in word for word in process.cmdline())))

    def _set_faults(self, **faults: Any) -> None:
        self.state.write("faults", {**self.state.faults, **faults})


@contextmanager
def make_world(folder: Path, server: str) -> Iterator[FlyWorld]:
    """Make a stand-in in a new folder, and end it afterwards; `server` is the kind of SSH server of its machines."""
    for name in ("apps", "bin", "machines", "proxies"):
        (folder / name).mkdir(parents=True)
    state = FlyState(folder)
    settings = {"server": server, "python": sys.executable, "repository": str(REPOSITORY), **(boot.find_sshd() or {})}
    state.write("settings", settings)
    write_key_pair(state.authority)
    _write_program(folder)
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(home.make_home(folder / "home"))}
    with ExitStack() as stack:
        world = FlyWorld(state, env, stack)
        world.env["FLY_ACCESS_TOKEN"] = world.add_token("org")
        stack.callback(world.close)
        yield world
        world.assert_home_untouched()
    # pytest removes its folders later, and these are many files. What a command of a machine still writes is left to it.
    shutil.rmtree(folder, ignore_errors=True)


def set_trap(url: str) -> str:
    """Return a URL of the same database with a password that a shell would change; the server does not ask for it."""
    scheme, _, rest = url.partition("://")
    user, _, place = rest.partition("@")
    return f"{scheme}://{user.partition(':')[0]}:p$HOME%20'w;`id`@{place}"


def _write_program(folder: Path) -> None:
    script = folder / "bin" / "fly.py"
    script.write_text(_PROGRAM.format(repository=str(REPOSITORY), folder=str(folder)))
    for name in ("fly", "flyctl"):
        program = folder / "bin" / name
        # A proxy is a process of its own, because it runs for long.
        started = shlex.join([sys.executable, "-SE", str(script)])
        choice = f'case "$1" in proxy) exec {started} "$@";; *) exec {call_relay(str(script))} "$@";; esac'
        program.write_text(f"#!/bin/sh\n{choice}\n")
        program.chmod(0o755)
