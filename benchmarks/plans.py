"""How long a forecast takes: of Gaia's last migrations, of one on a large schema, and of many migrations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from benchmarks.catalogs import write_table
from tasks.forecast.events import ForecastFinished
from tasks.forecast.plan import forecast
from tasks.rehearsal.model import RehearsedMigration, read_migration_pairs
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner import MigrationRunner
from tasks.runner.events.numbers import NumbersRead
from tasks.runner.files.checkout import read_migrations
from tasks.runner.operations.numbers import read_numbers
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

_FILES, _TABLES, _PORTION = 500, 2_000, 100


@dataclass(frozen=True)
class PlanCase:
    """A plan: the applied and the pending migrations."""

    name: str
    before: Sequence[RehearsedMigration]
    pending: Sequence[RehearsedMigration]
    rows: str = ""
    """The SQL that fills the tables which are forecast."""


def list_cases() -> Iterator[PlanCase]:
    """Yield the plans."""
    pairs = read_migration_pairs(read_migrations(REPOSITORY / "migrations"))
    yield PlanCase("Gaia's last 4 files", pairs[:-4], pairs[-4:])
    small = RehearsedMigration("0", "".join(f"CREATE TABLE t{n} (id bigint PRIMARY KEY, n text);" for n in range(_FILES)))
    files = [RehearsedMigration(f"1_{n:04}", f"ALTER TABLE t{n} ADD COLUMN added int") for n in range(_FILES)]
    yield PlanCase(f"{_FILES} files, a table each", [small], files)
    large = [
        RehearsedMigration(f"0_{first:05}", "".join(write_table(n) for n in range(first, first + _PORTION)))
        for first in range(1, _TABLES + 1, _PORTION)
    ]
    one = RehearsedMigration("1", f"ALTER TABLE table_{_TABLES:05} ALTER COLUMN email SET NOT NULL")
    rows = f"INSERT INTO table_{_TABLES:05} (name, email) SELECT g, g FROM generate_series(1, 100000) g"
    yield PlanCase(f"1 file, {_TABLES:,} tables", large, [one], rows)


def print_plans(server: Server) -> None:
    """Measure each plan once, after its applied migrations were replayed, and print the seconds."""
    print(f"\n{'forecasts, in s':<34} {'all':>9} {'a file':>9} {'load':>9}")
    for case in list_cases():
        with ScratchServer(server.url()) as scratch:
            with state_after(scratch, case.before) as live:
                numbers = _read_numbers(live.url, case)
            applied = frozenset(each.name for each in case.before)
            chosen = tuple(each.name for each in case.pending)
            selection = Selection((*case.before, *case.pending), chosen, "pending", applied)
            start = time.perf_counter()
            *_, finished = forecast(scratch, selection, numbers)
            seconds = time.perf_counter() - start
        assert isinstance(finished, ForecastFinished)
        assert not finished.found
        print(f"  {case.name:<32} {seconds:>9.1f} {seconds / len(chosen):>9.3f} {os.getloadavg()[0]:>9.1f}", flush=True)


def _read_numbers(url: str, case: PlanCase) -> NumbersRead:
    """Return the numbers of a database with the applied migrations and some rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(case.rows))
        connection.execute("ANALYZE")
    (numbers,) = read_numbers(MigrationRunner(url, migrations_dir=REPOSITORY / "migrations"), between_looks_s=0.1)
    assert isinstance(numbers, NumbersRead)
    return numbers
