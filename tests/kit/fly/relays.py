"""The server that forks what runs on machines, and the short calls of `fly`: otherwise each imports the same modules again."""

import shlex
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.kit.fly.packages import RUNNER_PACKAGES, find_packages
from tests.kit.forkserver import start_server
from tests.kit.waiting import wait_until

_RELAY = Path(__file__).parents[1] / "forkserver" / "relay.py"


@cache
def _serve() -> Path:
    """Start a server whose programs find only the packages of an image, and return the path of its socket."""
    folder = Path(tempfile.mkdtemp())
    for path in find_packages(RUNNER_PACKAGES):
        (folder / path.name).symlink_to(path)
    path = folder / "socket"
    start_server([sys.executable, "-S"], {"PYTHONPATH": str(folder), "LANG": "C.UTF-8"}, str(path))
    wait_until(path.is_socket, what="the server for relays")
    return path


def call_relay(*words: str, own_tool: bool = False) -> str:
    """Return the start of a shell command that runs a program on the server; the program's arguments follow.

    With `own_tool` the program imports the tool from its own folder.
    """
    return shlex.join([sys.executable, "-SE", str(_RELAY), str(_serve()), "own" if own_tool else "ours", *words])
