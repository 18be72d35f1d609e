"""A connection to a machine, made step by step: a certificate, a proxy, an SSH connection."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fabric import Config, Connection

from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld
from tests.kit.waiting import LIMIT_S


def shell(script: str) -> str:
    """Return the command that runs a script with a shell."""
    return f"/bin/sh -c {shlex.quote(script)}"


def run_fly(world: FlyWorld, *arguments: str, check: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run `fly`; fail unless it exits with the code `check`."""
    result = subprocess.run(
        ["fly", *arguments],
        env=world.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert result.returncode == check, (result.returncode, result.stdout, result.stderr)
    return result


def issue_certificate(world: FlyWorld, folder: Path, *flags: str) -> Path:
    """Make `fly` write a key and its certificate, and return the path of the key."""
    folder.mkdir(mode=0o700)
    run_fly(world, "ssh", "issue", "gaia", str(folder / "id"), "--hours", "1", *flags)
    return folder / "id"


@contextmanager
def start_proxy(world: FlyWorld, machine: FlyMachine) -> Iterator["subprocess.Popen[str]"]:
    """Run `fly proxy` to a machine and wait until it is ready; its stdin is a pipe that it watches."""
    place = (machine.record["private_ip"], "-a", machine.app_name)
    command = ["fly", "proxy", "0:22", *place, "--watch-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=world.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("Proxying localhost:"), ready + process.communicate(timeout=LIMIT_S)[1]
            yield process
        finally:
            process.kill()


def make_connection(port: int, key: Path, *, user: str = "root", **settings: Any) -> Connection:
    """Return a connection that does not use the SSH settings, keys and agent of the user."""
    config = Config(overrides={"load_ssh_configs": False, "run": {"in_stream": False, "hide": True, "warn": True}})
    known = {"key_filename": str(key), "allow_agent": False, "look_for_keys": False, "banner_timeout": 20, **settings}
    return Connection(
        "127.0.0.1", user=user, port=port, connect_timeout=10, inline_ssh_env=False, config=config, connect_kwargs=known
    )


@contextmanager
def connect(world: FlyWorld, machine: FlyMachine, folder: Path) -> Iterator[Connection]:
    """Yield a connection to a machine through a new proxy, with a certificate in `folder`."""
    key = issue_certificate(world, folder)
    with start_proxy(world, machine), make_connection(world.proxies()[-1].port, key, user=world.login) as connection:
        yield connection
