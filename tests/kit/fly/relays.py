"""The server that forks what runs on machines, and most calls of `fly`: they would import the same again and again."""

import atexit
import shlex
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.kit.fly.packages import RUNNER_PACKAGES, find_packages
from tests.kit.forkserver import start_server
from tests.kit.waiting import wait_until

RELAY = Path(__file__).parents[1] / "forkserver" / "relay.py"
_LOCALE = {"LANG": "C.UTF-8"}


@cache
def serve_relays() -> Path:
    """Start a server whose programs find the packages of an image and no others, and return the socket that it listens at."""
    folder = Path(tempfile.mkdtemp(prefix="gaia-relays-"))
    atexit.register(shutil.rmtree, folder)
    for path in find_packages(RUNNER_PACKAGES):
        (folder / path.name).symlink_to(path)
    place = folder / "socket"
    start_server([sys.executable, "-S"], {"PYTHONPATH": str(folder), **_LOCALE}, str(place))
    wait_until(place.is_socket, what="the server for relays")
    return place


def call_relay(place: Path, *words: str, own_tool: bool) -> str:
    """Write the words of a shell that have a program run by the server; the program's arguments follow them."""
    python = [sys.executable, "-SE", str(RELAY), str(place), "true" if own_tool else "false", *words]
    return shlex.join(python)
