"""The parts of the benchmarks: what each measures, and the targets that it is compared with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.catalogs import DUMP, READ, CatalogBenchmark
from benchmarks.checksums import HASH, time_checksums
from benchmarks.environments import ALL_AT_ONCE, ON_MACHINE, open_fly_benchmark
from benchmarks.fixtures import OURS as OUR_FIXTURE
from benchmarks.fixtures import TESTS, FixtureBenchmark
from benchmarks.forecasts import print_forecasts
from benchmarks.kit.relays import delay
from benchmarks.kit.tables import MB, print_ratio, print_samples, print_target
from benchmarks.kit.timing import Sample
from benchmarks.kit.tools import OURS, PSQL, ServerRoute, Tool, install_other_tools, list_tools
from benchmarks.large import AGAIN, DRY_RUN, STATUS, LargeBenchmark, LargeFile, list_files
from benchmarks.measures import IMPORT, RunBenchmark
from benchmarks.models import ALEMBIC_CHECK, ModelsBenchmark
from benchmarks.plans import print_plans
from benchmarks.replays import FIRST as FIRST_REPLAY
from benchmarks.replays import ReplayBenchmark
from benchmarks.stalls import HELD_S, LOCK_TIMEOUT_S, StallBenchmark
from benchmarks.verifications import AGAIN as AGAIN_VERIFY
from benchmarks.verifications import FIRST as FIRST_VERIFY
from benchmarks.verifications import LONG, VerifyBenchmark
from benchmarks.versions import measure, print_table
from tasks.postgres.server import tcp
from tests.kit.servers import Server

_DELAY_S = 0.01
"""Of each direction: a round trip takes 20 ms."""
_SLOW = 100
"""The migrations over a slow network, where a thousand would take minutes."""
_SMALL_FILE = 64 * MB


@dataclass(frozen=True)
class Setup:
    """A server with default durability, a working folder, the number of runs, the scale of large files, and which tools run."""

    server: Server
    home: Path
    runs: int
    scale: float = 1.0
    alone: bool = False

    @property
    def socket(self) -> ServerRoute:
        """Return the route by the socket."""
        return ServerRoute(str(self.server.cluster.socket_folder))

    def list_tools(self) -> list[Tool]:
        """Return the tools, without those of others if they are not to run or cannot be installed."""
        return list_tools(self.server.cluster.programs, None if self.alone else install_other_tools())


@dataclass(frozen=True)
class BenchmarkPart:
    """A part of the benchmarks, and how often it runs each command if nothing else is requested."""

    measure: Callable[[Setup], None]
    runs: int


def measure_fresh(setup: Setup) -> None:
    """Measure fresh runs of this tool and of the others by a socket, over TCP, and over a slow network."""
    benchmark = RunBenchmark(setup.server, setup.home, setup.list_tools(), setup.runs)
    access = tcp.read_access(setup.server.cluster.data.parent)
    assert access
    for title, route in ("socket", setup.socket), ("TCP", ServerRoute(tcp.HOST, access.port, access.password)):
        samples = benchmark.time_fresh(1000, route)
        print_samples(f"1,000 fresh migrations, {title}", samples, reference=PSQL)
        print_ratio(f"fresh, {title}, compared with psql", samples[OURS].ratio_to(samples[PSQL]), 0.9)
    benchmark.runs = 1
    with delay((socket.AF_INET, (tcp.HOST, access.port)), _DELAY_S) as relay:
        slow = benchmark.time_fresh_slowly(_SLOW, ServerRoute(tcp.HOST, relay.port, access.password), relay)
    print_samples(f"{_SLOW} fresh migrations, {2000 * _DELAY_S:.0f} ms away", slow, reference=PSQL)
    print_ratio(f"fresh, {2000 * _DELAY_S:.0f} ms away, compared with psql", slow[OURS].ratio_to(slow[PSQL]), 0.3)


def measure_idle(setup: Setup) -> None:
    """Measure runs with nothing to do, and status, of this tool and of the others."""
    benchmark = RunBenchmark(setup.server, setup.home, setup.list_tools(), setup.runs)
    idle = benchmark.time_idle(100, 1000, 10_000)
    for count, samples in idle.items():
        print_samples(f"{count:,} migrations, nothing to do", samples, reference=IMPORT)
    print_ratio("nothing to do at 1,000, compared with import psycopg", idle[1000][OURS].ratio_to(idle[1000][IMPORT]), 1.25)
    print_ratio("nothing to do, 10,000 compared with 100", idle[10_000][OURS].ratio_to(idle[100][OURS]), 1.5)
    status = benchmark.time_status(1000)
    print_samples("1,000 migrations, status", status, reference=IMPORT)
    print_ratio("status at 1,000, compared with import psycopg", status[OURS].ratio_to(status[IMPORT]), 1.25)
    benchmark.runs = 1
    port = next(setup.server.cluster.socket_folder.glob(".s.PGSQL.*[0-9]"))
    with delay((socket.AF_UNIX, str(port)), _DELAY_S) as relay:
        slow = benchmark.time_turns(1000, ServerRoute(tcp.HOST, relay.port), relay)
    print_samples(f"nothing to do, {2000 * _DELAY_S:.0f} ms away", slow, reference="migrate")
    for verb, sample in slow.items():
        print_target(f"round trips of {verb}, connecting without a password", sample.turns or 0, 4, "")


def measure_large(setup: Setup) -> None:
    """Measure time and memory of large files."""
    benchmark = LargeBenchmark(setup.server, setup.home, setup.list_tools(), setup.runs)
    for file in list_files(setup.scale):
        results = benchmark.time(file)
        samples = {name: each for name, each in results.items() if isinstance(each, Sample)}
        print_samples(f"{file.name}{f', {setup.scale:.2f} of it' if setup.scale != 1 else ''}", samples, reference=PSQL)
        for name, reason in results.items():
            if isinstance(reason, str):
                print(f"  {name}: {reason}")
        _print_large_targets(file, samples)


def measure_catalog(setup: Setup) -> None:
    """Measure reading a large schema."""
    samples = CatalogBenchmark(setup.server, setup.runs).time()
    print_samples("a schema of 2,000 tables", samples, reference=DUMP)
    print_ratio("reading a schema, compared with pg_dump", samples[READ].ratio_to(samples[DUMP]), 0.5)


def measure_verify(setup: Setup) -> None:
    """Measure db.verify of Gaia's migrations, and of a long history."""
    benchmark = VerifyBenchmark(setup.server, setup.home, setup.runs)
    print_samples("verify of Gaia's migrations", benchmark.time(), reference=FIRST_VERIFY)
    samples = benchmark.time_history()
    print_samples(f"verify of {LONG} migrations", samples, reference=FIRST_VERIFY)
    print_target("verify of a long history", samples[FIRST_VERIFY].median, 75, " s")
    print_target("verify of a long history, again", samples[AGAIN_VERIFY].median, 10, " s")


def measure_replays(setup: Setup) -> None:
    """Measure replays of a long history."""
    samples = ReplayBenchmark(setup.server, setup.home, setup.runs).time()
    print_samples("replay of 1,000 migrations", samples, reference=FIRST_REPLAY)


def measure_models(setup: Setup) -> None:
    """Measure db.check-models beside `alembic check`."""
    benchmark = ModelsBenchmark(setup.server, setup.home, setup.runs)
    for tables in 50, 500:
        print_samples(f"models of {tables} tables", benchmark.time(tables), reference=ALEMBIC_CHECK)


def measure_fly(setup: Setup) -> None:
    """Measure runs on Fly machines."""
    with open_fly_benchmark(setup.server, setup.home, setup.runs) as benchmark:
        for title, samples in benchmark.time_overhead().items():
            print_samples(f"on Fly: {title}", samples, reference=ON_MACHINE)
        print_samples("status of environments", benchmark.time_statuses(), reference=ALL_AT_ONCE)


def measure_fixtures(setup: Setup) -> None:
    """Measure what a database of its own costs a test."""
    samples = FixtureBenchmark(setup.server, setup.home, setup.runs).time()
    print_samples(f"a database for one test of {TESTS}", samples, reference=OUR_FIXTURE)


def measure_forecasts(setup: Setup) -> None:
    """Compare the durations that a forecast expects with those that are measured."""
    print_forecasts(setup.server)


def measure_plans(setup: Setup) -> None:
    """Measure forecasts: of Gaia's last migrations, of one on a large schema, of many."""
    print_plans(setup.server)


def measure_checksums(setup: Setup) -> None:
    """Measure the checksums of 10,000 files."""
    print_samples("checksums of 10,000 files of 3 KB", time_checksums(setup.home, 10_000, setup.runs), reference=HASH)


def measure_versions(setup: Setup) -> None:
    """Count the false alarms of comparisons over all pairs of versions that are present."""
    print_table(measure(setup.home))


def measure_stalls(setup: Setup) -> None:
    """Measure how long a load is stalled by an ALTER TABLE behind a long transaction."""
    tools = [tool for tool in setup.list_tools() if tool.name in (OURS, PSQL, "dbmate")]
    row = "{:<34} {:>9} {:>9} {:>9}"
    print(f"\n{row.format(f'ALTER TABLE behind {HELD_S:.0f} s, in s', 'longest', 'total', 'run')}")
    for name, stall in StallBenchmark(setup.server, setup.home, tools).measure().items():
        print(row.format(f"  {name}", *(f"{seconds:.1f}" for seconds in (stall.longest_s, stall.total_s, stall.run_s))))
        if name.startswith(OURS):
            print_ratio("total stall, compared with LOCK_TIMEOUT", stall.total_s / LOCK_TIMEOUT_S, 1.0)


def _print_large_targets(file: LargeFile, samples: dict[str, Sample]) -> None:
    """Print the time beside that of psql, and the memory beside 40 MB and three times the file, or beside 240 MB."""
    if OURS in samples:
        print_ratio("a large file, compared with psql", samples[OURS].ratio_to(samples[PSQL]), 1.5)
    limit = 40 + 3 * file.size / MB if file.size <= _SMALL_FILE else 240
    for name in (OURS, DRY_RUN, AGAIN, STATUS):
        if name in samples:
            print_target(f"peak of {name}", (samples[name].peak or 0) / MB, limit, " MB")


PARTS = {
    "fresh": BenchmarkPart(measure_fresh, 5),
    "idle": BenchmarkPart(measure_idle, 5),
    "large": BenchmarkPart(measure_large, 1),
    "catalog": BenchmarkPart(measure_catalog, 5),
    "verify": BenchmarkPart(measure_verify, 1),
    "replays": BenchmarkPart(measure_replays, 5),
    "checksums": BenchmarkPart(measure_checksums, 7),
    "fixtures": BenchmarkPart(measure_fixtures, 3),
    "models": BenchmarkPart(measure_models, 3),
    "fly": BenchmarkPart(measure_fly, 5),
    "forecast": BenchmarkPart(measure_forecasts, 1),
    "plan": BenchmarkPart(measure_plans, 1),
    "stall": BenchmarkPart(measure_stalls, 1),
    "versions": BenchmarkPart(measure_versions, 1),
}
"""The parts by their names on the command line."""
