"""Measure, print a table, and hold it against what we aim at: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.catalogs import DUMP, READ, CatalogBench
from benchmarks.disks import describe_disk, time_sync
from benchmarks.environments import AT_ONCE, BY_HAND, FarBench, open_far_bench
from benchmarks.measures import IMPORT, Bench
from benchmarks.replays import FIRST, ReplayBench
from benchmarks.timing import Sample
from benchmarks.tools import OURS, PSQL, install_others, list_tools
from benchmarks.verifications import FIRST as VERIFY
from benchmarks.verifications import VerifyBench
from tasks.postgres.server import control, embedded
from tests.kit.servers import Server

_LINE = "{:<34} {:>9} {:>9} {:>9} {:>12}"


def main() -> None:
    """Measure everything, which takes some minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="how often each command runs (7)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the server keeps its data (/var/tmp)")
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help=f"what to measure (all): {', '.join(_PARTS)}")
    options = parser.parse_args()
    with _start_server(options.folder) as (server, home):
        _print_heading(home, options.runs)
        for part in options.parts or _PARTS:
            _PARTS[part](server, home, options.runs)


def measure_runs(server: Server, home: Path, runs: int) -> None:
    """Install the tools to compare with, and measure runs."""
    others = install_others()
    if others is None:
        print("dbmate and yoyo-migrations are skipped: they could not be installed")
    measure(Bench(server, home, list_tools(server.cluster.programs, others), runs))


def measure_fly(server: Server, home: Path, runs: int) -> None:
    """Measure the way to Fly."""
    with open_far_bench(server, home, runs) as far:
        measure_far(far)


def measure_rehearsals(server: Server, home: Path, runs: int) -> None:
    """Measure replays, the reading of a large schema, and verify."""
    _print_samples("replay of 1,000 migrations", ReplayBench(server, home, runs).time(), beside=FIRST)
    catalog = CatalogBench(server, runs).time()
    _print_samples("a schema of 2,000 tables", catalog, beside=DUMP)
    _print_samples("verify of Gaia's migrations", VerifyBench(server, home, runs).time(), beside=VERIFY)
    print("\nWhat we aim at, as medians of the pairs:")
    _print_aim("reading a schema, beside pg_dump", catalog[READ].over(catalog[DUMP]), 0.5)


def measure(bench: Bench) -> None:
    """Measure and print, the quick things first."""
    idle = bench.time_idle(100, 1000, 10_000)
    for count, samples in idle.items():
        _print_samples(f"{count:,} migrations, nothing to do", samples)
    _print_samples("1,000 migrations, status", bench.time_status(1000))
    fresh = bench.time_fresh(1000)
    _print_samples("1,000 migrations, fresh", fresh)
    print("\nWhat we aim at, as medians of the pairs:")
    _print_aim("fresh, beside psql", fresh[OURS].over(fresh[PSQL]), 1.0)
    _print_aim(f"nothing to do, beside {IMPORT}", idle[100][OURS].over(idle[100][IMPORT]), 1.25)
    _print_aim("nothing to do at 10,000, beside 100", idle[10_000][OURS].over(idle[100][OURS]), 1.5)


def measure_far(bench: FarBench) -> None:
    """Measure and print what the way to Fly costs."""
    for what, samples in bench.time_overhead().items():
        _print_samples(f"on Fly: {what}", samples, beside=BY_HAND)
    _print_samples("status of environments", bench.time_statuses(), beside=AT_ONCE)


@contextmanager
def _start_server(folder: Path) -> Iterator[tuple[Server, Path]]:
    """Start the embedded server with its default settings, which make commits durable, in a folder that goes with it."""
    home = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=folder))
    # As root, the server runs as another account, which has to pass through.
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


def _print_heading(home: Path, runs: int) -> None:
    print(f"Whole processes, {runs} runs each in turn, wall time in milliseconds. Python {platform.python_version()},")
    print(f"{os.cpu_count()} processors, the embedded PostgreSQL {embedded.MAJOR_VERSION} with its default durability on")
    print(f"{describe_disk(home)}, where fsync takes {time_sync(home) * 1000:.2f} ms.")


def _print_samples(title: str, samples: dict[str, Sample], *, beside: str = OURS) -> None:
    print(f"\n{_LINE.format(title, 'median', 'min', 'max', 'beside ours' if beside == OURS else 'compared')}")
    for name, sample in samples.items():
        numbers = [f"{seconds * 1000:,.0f}" for seconds in (sample.median, min(sample.seconds), max(sample.seconds))]
        print(_LINE.format(f"  {name}", *numbers, f"{sample.over(samples[beside]):.2f} ×"), flush=True)


def _print_aim(what: str, ratio: float, aim: float) -> None:
    print(f"  {what:<54} {ratio:.2f} × (at most {aim:.2f}): {'met' if ratio <= aim else 'not met'}")


_PARTS: dict[str, Callable[[Server, Path, int], None]] = {
    "runs": measure_runs,
    "fly": measure_fly,
    "rehearsals": measure_rehearsals,
}


if __name__ == "__main__":
    main()
