"""Measure run times, print them as tables, and compare them with the targets."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.catalogs import DUMP, READ, CatalogBenchmark
from benchmarks.checksums import HASH, time_checksums
from benchmarks.disks import describe_disk, time_sync
from benchmarks.environments import ALL_AT_ONCE, ON_MACHINE, open_fly_benchmark
from benchmarks.fixtures import OURS as OUR_FIXTURE
from benchmarks.fixtures import TESTS, FixtureBenchmark
from benchmarks.forecasts import print_forecasts
from benchmarks.measures import IMPORT, RunBenchmark
from benchmarks.plans import print_plans
from benchmarks.replays import FIRST as FIRST_REPLAY
from benchmarks.replays import ReplayBenchmark
from benchmarks.stalls import HELD_S, LOCK_TIMEOUT_S, StallBenchmark
from benchmarks.timing import Sample
from benchmarks.tools import OURS, PSQL, install_other_tools, list_tools
from benchmarks.verifications import FIRST as FIRST_VERIFY
from benchmarks.verifications import VerifyBenchmark
from benchmarks.versions import measure, print_table
from tasks.postgres.server import control, embedded
from tests.kit.servers import Server

_ROW = "{:<34} {:>9} {:>9} {:>9} {:>14}"


def main() -> None:
    """Run the benchmarks named on the command line, or all of them, which takes some minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="number of runs of each command (default: 7)")
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="parent of the server's data folder (default: /var/tmp)"
    )
    parser.add_argument("parts", nargs="*", metavar="PART", type=_read_part, help=f"{', '.join(_PARTS)} (default: all)")
    options = parser.parse_args()
    with _start_server(options.folder) as (server, home):
        _print_heading(home, options.runs)
        for part in options.parts or _PARTS:
            _PARTS[part](server, home, options.runs)


def measure_runs(server: Server, home: Path, runs: int) -> None:
    """Measure runs of this tool and of the others, the short ones first."""
    others = install_other_tools()
    if others is None:
        print("dbmate and yoyo-migrations are skipped: they could not be installed")
    benchmark = RunBenchmark(server, home, list_tools(server.cluster.programs, others), runs)
    idle = benchmark.time_idle(100, 1000, 10_000)
    for count, samples in idle.items():
        _print_samples(f"{count:,} migrations, nothing to do", samples)
    _print_samples("1,000 migrations, status", benchmark.time_status(1000))
    fresh = benchmark.time_fresh(1000)
    _print_samples("1,000 migrations, fresh", fresh)
    print("\nTargets (median of the ratios):")
    _print_target("fresh, compared with psql", fresh[OURS].ratio_to(fresh[PSQL]), 1.0)
    _print_target(f"nothing to do, compared with {IMPORT}", idle[100][OURS].ratio_to(idle[100][IMPORT]), 1.25)
    _print_target("nothing to do, 10,000 compared with 100", idle[10_000][OURS].ratio_to(idle[100][OURS]), 1.5)


def measure_fly(server: Server, home: Path, runs: int) -> None:
    """Measure runs on Fly machines."""
    with open_fly_benchmark(server, home, runs) as benchmark:
        for title, samples in benchmark.time_overhead().items():
            _print_samples(f"on Fly: {title}", samples, reference=ON_MACHINE)
        _print_samples("status of environments", benchmark.time_statuses(), reference=ALL_AT_ONCE)


def measure_rehearsals(server: Server, home: Path, runs: int) -> None:
    """Measure replays, reading a large schema, and verify."""
    _print_samples("replay of 1,000 migrations", ReplayBenchmark(server, home, runs).time(), reference=FIRST_REPLAY)
    catalog = CatalogBenchmark(server, runs).time()
    _print_samples("a schema of 2,000 tables", catalog, reference=DUMP)
    _print_samples("verify of Gaia's migrations", VerifyBenchmark(server, home, runs).time(), reference=FIRST_VERIFY)
    print("\nTargets (median of the ratios):")
    _print_target("reading a schema, compared with pg_dump", catalog[READ].ratio_to(catalog[DUMP]), 0.5)


def measure_fixtures(server: Server, home: Path, runs: int) -> None:
    """Measure what a database of its own costs a test."""
    _print_samples(f"a database for one test of {TESTS}", FixtureBenchmark(server, home, runs).time(), reference=OUR_FIXTURE)


def measure_forecasts(server: Server, _home: Path, _runs: int) -> None:
    """Compare the durations that a forecast expects with those that are measured."""
    print_forecasts(server)


def measure_plans(server: Server, _home: Path, _runs: int) -> None:
    """Measure forecasts: of Gaia's last migrations, of one on a large schema, of many."""
    print_plans(server)


def measure_checksums(_server: Server, home: Path, runs: int) -> None:
    """Measure the checksums of 10,000 files."""
    _print_samples("checksums of 10,000 files of 3 KB", time_checksums(home, 10_000, runs), reference=HASH)


def measure_versions(_server: Server, home: Path, _runs: int) -> None:
    """Count the false alarms of comparisons over all pairs of versions that are present."""
    print_table(measure(home))


def measure_stalls(server: Server, home: Path, _runs: int) -> None:
    """Measure how long a load is stalled by an ALTER TABLE behind a long transaction."""
    others = install_other_tools()
    tools = [tool for tool in list_tools(server.cluster.programs, others) if tool.name in (OURS, PSQL, "dbmate")]
    print(f"\n{_ROW.format(f'ALTER TABLE behind {HELD_S:.0f} s, in s', 'longest', 'total', 'run', '')}")
    for name, stall in StallBenchmark(server, home, tools).measure().items():
        print(_ROW.format(f"  {name}", *(f"{seconds:.1f}" for seconds in (stall.longest_s, stall.total_s, stall.run_s)), ""))
        if name.startswith(OURS):
            _print_target("total stall, compared with LOCK_TIMEOUT", stall.total_s / LOCK_TIMEOUT_S, 1.0)


def _read_part(name: str) -> str:
    """Return the name of a part; raises ArgumentTypeError if there is no such part."""
    if name not in _PARTS:
        raise argparse.ArgumentTypeError(f"'{name}' is not one of {', '.join(_PARTS)}")
    return name


@contextmanager
def _start_server(folder: Path) -> Iterator[tuple[Server, Path]]:
    """Start the embedded server with its default settings, which make commits durable, and delete its data afterwards."""
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


def _print_heading(home: Path, runs: int) -> None:
    print(f"Wall time of complete processes in milliseconds, interleaved; runs of each: {runs}.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, embedded PostgreSQL {embedded.MAJOR_VERSION} with")
    print(f"durable commits on {describe_disk(home)}; fsync takes {time_sync(home) * 1000:.2f} ms.")


def _print_samples(title: str, samples: dict[str, Sample], *, reference: str = OURS) -> None:
    print(f"\n{_ROW.format(title, 'median', 'min', 'max', 'ratio to ours' if reference == OURS else 'ratio')}")
    for name, sample in samples.items():
        numbers = [f"{seconds * 1000:,.0f}" for seconds in (sample.median, min(sample.seconds), max(sample.seconds))]
        print(_ROW.format(f"  {name}", *numbers, f"{sample.ratio_to(samples[reference]):.2f} ×"), flush=True)


def _print_target(what: str, ratio: float, target: float) -> None:
    print(f"  {what:<58} {ratio:.2f} × (at most {target:.2f}): {'met' if ratio <= target else 'not met'}")


_PARTS: dict[str, Callable[[Server, Path, int], None]] = {
    "runs": measure_runs,
    "checksums": measure_checksums,
    "fixtures": measure_fixtures,
    "fly": measure_fly,
    "forecast": measure_forecasts,
    "plan": measure_plans,
    "rehearsals": measure_rehearsals,
    "stall": measure_stalls,
    "versions": measure_versions,
}


if __name__ == "__main__":
    main()
