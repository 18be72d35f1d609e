"""A process that owns a scratch database until its standard input ends: `python -m tests.rehearsal.owning URL`."""

import os
import signal
import sys

from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tests.rehearsal.scratching import make_table


def own(url: str, *tables: str) -> None:
    """Create a scratch database in a state, print its name, and keep it until standard input ends."""
    with ScratchServer(url) as server, state_after(server, [make_table(table) for table in tables]) as database:
        print(database.name, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    # A process that a shell starts in the background may ignore the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        own(*sys.argv[1:])
    except KeyboardInterrupt:
        os._exit(130)
