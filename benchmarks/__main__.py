"""Measure run times and peaks of memory, print them as tables, and compare them with the targets."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.kit.disks import describe_disk, time_sync
from benchmarks.parts import PARTS, Setup
from tasks.postgres.server import control, embedded
from tests.kit.servers import Server

_FIGURES = ("fresh", "idle", "large", "catalog", "verify")
"""The parts that run if none is named."""


def main() -> None:
    """Run the benchmarks named on the command line, or those with the figures of the documentation, which takes some minutes."""
    names = ", ".join(PARTS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help="number of runs of each command (default: by the part)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the large files, as a part of theirs (default: 1)")
    parser.add_argument("--alone", action="store_true", help="without the tools of others; psql and pg_dump are always compared")
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="parent of the server's data folder (default: /var/tmp)"
    )
    parser.add_argument("parts", nargs="*", metavar="PART", type=_read_part, help=f"{names} (default: {' '.join(_FIGURES)})")
    options = parser.parse_args()
    try:
        with _start_server(options.folder) as (server, home):
            _print_heading(home)
            for name in options.parts or _FIGURES:
                part = PARTS[name]
                own_home = home / name
                own_home.mkdir(exist_ok=True)
                part.measure(Setup(server, own_home, options.runs or part.runs, options.scale, alone=options.alone))
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _read_part(name: str) -> str:
    """Return the name of a part; raises ArgumentTypeError if there is no such part."""
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(PARTS)}")
    return name


@contextmanager
def _start_server(folder: Path) -> Iterator[tuple[Server, Path]]:
    """Start the embedded server with its default settings, which make commits durable, and delete its data afterwards.

    SIGTERM, which `timeout` sends, ends the block like Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=folder))
    # If this process runs as root, the server runs as another account, which needs access to the folders below.
    home.chmod(0o711)
    try:
        embedded.start(home / "server")
        server = Server(embedded.find_server(home / "server"))
        try:
            yield server, home
        finally:
            server.close()
            control.stop(server.cluster)
    finally:
        shutil.rmtree(home)


def _print_heading(home: Path) -> None:
    print("Wall time of complete processes in milliseconds; processor time and peak of memory are those of the process alone.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors with a load of {os.getloadavg()[0]:.1f}.")
    print(f"Embedded PostgreSQL {embedded.MAJOR_VERSION} with durable commits on {describe_disk(home)}; fsync takes", end=" ")
    print(f"{time_sync(home) * 1000:.2f} ms.", flush=True)


if __name__ == "__main__":
    main()
