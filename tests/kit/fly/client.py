"""The road to a machine as a person would build it by hand: a certificate, a proxy, a connection."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fabric import Config, Connection

from tests.kit.fly.machines import Machine
from tests.kit.fly.world import FlyWorld

TIMEOUT_S = 60


def shell(script: str) -> str:
    """Return the command that runs a script where there is no shell."""
    return f"/bin/sh -c {shlex.quote(script)}"


def run_fly(world: FlyWorld, *arguments: str, check: int | None = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `fly` to its end, with these variables besides the world's; fail unless it exits with the code `check`."""
    result = subprocess.run(
        ["fly", *arguments],
        env=world.env | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert check is None or result.returncode == check, (result.returncode, result.stdout, result.stderr)
    return result


def issue_certificate(world: FlyWorld, folder: Path, *flags: str) -> Path:
    """Let `fly` write a key and its certificate, and return the path of the key."""
    folder.mkdir(mode=0o700)
    run_fly(world, "ssh", "issue", "gaia", str(folder / "id"), "--hours", "1", *flags)
    return folder / "id"


@contextmanager
def start_fly(world: FlyWorld, *arguments: str, stdin: int = subprocess.DEVNULL) -> Iterator["subprocess.Popen[str]"]:
    """Run `fly` with pipes, and kill it afterwards."""
    with subprocess.Popen(
        ["fly", *arguments], env=world.env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def start_proxy(world: FlyWorld, machine: Machine) -> Iterator["subprocess.Popen[str]"]:
    """Run `fly proxy` to a machine, and wait until it has said that it is ready; its stdin is a pipe that it watches."""
    place = (machine.record["private_ip"], "-a", machine.app_name)
    with start_fly(world, "proxy", "0:22", *place, "--watch-stdin", stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("Proxying localhost:"), ready + process.communicate(timeout=TIMEOUT_S)[1]
        yield process


def make_connection(port: int, key: Path, *, user: str = "root", **settings: Any) -> Connection:
    """Return a connection that leaves the user's own SSH settings, keys and agent alone."""
    config = Config(overrides={"load_ssh_configs": False, "run": {"in_stream": False, "hide": True, "warn": True}})
    known = {"key_filename": str(key), "allow_agent": False, "look_for_keys": False, "banner_timeout": 20, **settings}
    return Connection(
        "127.0.0.1", user=user, port=port, connect_timeout=10, inline_ssh_env=False, config=config, connect_kwargs=known
    )


@contextmanager
def connect(world: FlyWorld, machine: Machine, folder: Path) -> Iterator[Connection]:
    """Give a connection to a machine, through a proxy of its own and with a certificate in `folder`."""
    key = issue_certificate(world, folder)
    with start_proxy(world, machine), make_connection(world.proxies()[-1].port, key, user=world.login) as connection:
        yield connection
