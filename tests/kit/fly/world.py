"""Fly.io as a test sees it: apps with machines and databases, the `fly` program, and what can go wrong with them."""

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
from tests.kit.fly.machines import Machine, describe_environment, make_machine, make_record
from tests.kit.fly.proxies import Proxy, find_proxies
from tests.kit.fly.relays import call_relay, serve_relays
from tests.kit.fly.state import APP_DIRECTORY_VARIABLE, Record, State, read_json_lines
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
"""It is called some thousand times, so it takes out no garbage and does not clear up at its end."""
_VARIABLES = {"WATCH_DRIFT": "off"}
_TRAPS = {"SLOGAN": """it's  "two  words" $HOME `id` \\ *""", "EMPTY": ""}


@dataclass
class FlyWorld:
    """A stand-in for Fly, for one test."""

    state: State
    env: dict[str, str]
    _stack: ExitStack = field(repr=False)
    _apps: dict[str, list[Machine]] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """Return the account to log in as: root, but OpenSSH without root's rights knows only our own."""
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
    ) -> list[Machine]:
        """Add an app and its machines; `environment` is set to it, by default what follows the name's last hyphen.

        What else is given goes to `add_machine`.
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
    ) -> Machine:
        """Add a machine to an app: with this image, the migrations and seeds in `files`, and these variables.

        Other properties are those of `fly machine list --json`, besides `group` and `release`: `region="fra"`, `state="stopped"`.
        """
        record = make_record(app, **properties)
        folder = self.state.machine_folder(record["id"])
        settled = describe_environment(folder, record, app) | _TRAPS | _VARIABLES | {APP_DIRECTORY_VARIABLE: str(folder.app)}
        if database is not None:
            settled["DATABASE_URL"] = set_trap(database.url)
        machine = make_machine(self.state, record, app, settled | dict(variables or {}), starts_in_app=starts_in_app)
        if disk_megabytes is not None:
            self._stack.enter_context(mount_small_disk(folder.disk, disk_megabytes))
            # Before the disk goes, all that works on it.
            self._stack.callback(machine.end)
        unpack_image(image or Image(), folder, files)
        with self.state.change_app(app) as changed:
            changed["machines"].append(record)
        self._apps[app].append(machine)
        return machine

    def add_release_machine(self, app: str) -> Record:
        """Add the machine of a release command that is still listed: started, but nowhere to log in."""
        return self._add_record(make_record(app, group="fly_app_release_command"), app)

    def add_unreachable_machine(self, app: str) -> Record:
        """Add a machine whose host does not answer, so that its configuration is not known."""
        record = make_record(app, host_status="unreachable")
        record |= {"config": None, "incomplete_config": record["config"]}
        return self._add_record(record, app)

    def machine(self, app: str) -> Machine:
        """Return the first machine of an app."""
        return self._apps[app][0]

    def machines(self, app: str) -> Sequence[Machine]:
        """Return the machines of an app."""
        return self._apps[app]

    @property
    def calls(self) -> list[list[str]]:
        """Return the arguments of each call of `fly`."""
        return list(read_json_lines(self.state.calls))

    def add_token(self, kind: str, *, org: str = "gaia", app: str = "") -> str:
        """Make a token that may do less: `deploy` or `ssh` for one app, `readonly` or `org` for an organization."""
        token = f"FlyV1 fm2_{secrets.token_hex(16)}"
        right = {"kind": kind, "org": org} | ({"app": app} if app else {})
        self.state.write("tokens", {**self.state.tokens, token: right})
        return token

    def limit_certificates(self, seconds: int) -> None:
        """Let certificates end after so many seconds from now on, whatever was asked for; below 0 they have ended already."""
        self._set_faults(certificate_seconds=seconds)

    def fail(self, command: str, message: str) -> None:
        """Let a command such as `ssh issue` fail."""
        self._set_faults(fail={command: message})

    def hang(self, command: str) -> None:
        """Let a command never end."""
        self._set_faults(hang=[command])

    def garble(self, command: str) -> None:
        """Let a command succeed and print something else than JSON."""
        self._set_faults(garble=[command])

    def add_noise(self) -> None:
        """Let every command say something irrelevant on stderr."""
        self._set_faults(noise=True)

    def mend(self) -> None:
        """Let `fly` work again."""
        self.state.write("faults", {})

    def proxies(self) -> list[Proxy]:
        """Return the proxies that run."""
        return find_proxies(self.state)

    def kill_proxy(self) -> None:
        """Kill every proxy."""
        for proxy in self.proxies():
            proxy.kill()

    def freeze_proxy(self) -> None:
        """Stop every proxy from doing anything, its connections staying open."""
        for proxy in self.proxies():
            proxy.freeze()

    def thaw_proxy(self) -> None:
        """Let frozen proxies go on."""
        for proxy in self.proxies():
            proxy.thaw()

    def assert_home_untouched(self) -> None:
        """Fail if anything in ~/.ssh was read or written."""
        traces = home.find_traces(Path(self.env["HOME"]))
        assert not traces, f"in ~/.ssh: {', '.join(traces)}"

    def close(self) -> None:
        """End all that runs."""
        for proxy in self.proxies():
            proxy.kill()
        for machines in self._apps.values():
            for machine in machines:
                machine.end()
        folder = str(self.state.folder)
        end_processes(find_processes(folder, lambda process: any(folder in word for word in process.cmdline())))

    def _add_record(self, record: Record, app: str) -> Record:
        with self.state.change_app(app) as changed:
            changed["machines"].append(record)
        return record

    def _set_faults(self, **faults: Any) -> None:
        self.state.write("faults", {**self.state.faults, **faults})


@contextmanager
def make_world(folder: Path, server: str) -> Iterator[FlyWorld]:
    """Make a stand-in in a new folder, its machines with OpenSSH's server or Python's; end it afterwards."""
    for name in ("apps", "bin", "machines", "proxies"):
        (folder / name).mkdir(parents=True)
    state = State(folder)
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
    # pytest keeps its folders for a while, and would remove these many files at a time of its own.
    shutil.rmtree(folder)


def set_trap(url: str) -> str:
    """Return a URL of the same database with a password that a shell or a careless copy would spoil; it is not asked for."""
    scheme, _, rest = url.partition("://")
    user, _, place = rest.partition("@")
    return f"{scheme}://{user.partition(':')[0]}:p$HOME%20'w;`id`@{place}"


def _write_program(folder: Path) -> None:
    script = folder / "bin" / "fly.py"
    script.write_text(_PROGRAM.format(repository=str(REPOSITORY), folder=str(folder)))
    for name in ("fly", "flyctl"):
        program = folder / "bin" / name
        # What goes on for long, or has a terminal, is a process of its own.
        relay = call_relay(serve_relays(), str(script), own_tool=False)
        alone = f"{shlex.quote(sys.executable)} -SE {shlex.quote(str(script))}"
        text = f'case "$1 $2" in proxy*|"ssh console") exec {alone} "$@";; *) exec {relay} "$@";; esac'
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
