"""Run the pending files on scratch, once without rows and once with them, and measure each statement."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import pq

from tasks.forecast.durations.ranges import Measured
from tasks.forecast.durations.rows.blueprints import merge_constraints
from tasks.forecast.durations.rows.filling import FilledTables, RowSource, fill_for
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.replay.scratch_run import ScratchRun
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.rows.shapes import Shapes
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement

Key = tuple[str, int]
"""A version, and the number of a statement in its file."""

_SIZE = "SELECT pg_database_size(current_database())::int8"
_TUPLES = """
SELECT pg_catalog.sum(v) FROM pg_catalog.pg_stat_xact_user_tables
 CROSS JOIN LATERAL (VALUES (seq_tup_read), (idx_tup_fetch), (n_tup_ins), (n_tup_upd), (n_tup_del)) AS counted (v)
"""
"""What the open transaction has done so far, without what its parallel workers have read."""
_SHORTEST_S = 1.0


@dataclass(slots=True)
class Measurements:
    """What was measured: the statements, the sizes of the tables on scratch for each file, and what was not measured and why.

    A reason of number 0 is that of a whole file.
    """

    empty: dict[Key, float] = field(default_factory=dict)
    filled: dict[Key, float] = field(default_factory=dict)
    grown: dict[Key, int] = field(default_factory=dict)
    tuples: dict[Key, int] = field(default_factory=dict)
    tables: dict[str, FilledTables] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def find(self, key: Key) -> Measured | None:
        """Return the measurement of a statement; without rows on scratch, it took as long as without any."""
        empty, filled = self.empty.get(key), self.filled.get(key)
        if empty is None or (filled is None and key[0] in self.tables):
            return None
        return Measured(empty, empty if filled is None else filled, self.grown.get(key, 0), self.tuples.get(key, 0))


class Stopwatch:
    """The observer that measures the statements of one file, by their numbers.

    With a session beside it, it also notes by what the database grows, and how many rows are read and changed.
    """

    def __init__(self, migration: RehearsedMigration, beside: psycopg.Connection | None = None) -> None:
        statements = migration.make_step("up").script.statements
        self._numbers = {statement.offset: number for number, statement in enumerate(statements, 1)}
        self._beside = beside
        self._version = migration.name
        self._begin_bytes = self._begin_tuples = 0
        self._start = 0.0
        self.seconds: dict[Key, float] = {}
        self.grown: dict[Key, int] = {}
        self.tuples: dict[Key, int] = {}

    def before(self, run: ScratchRun, statement: Statement) -> None:
        """Begin to measure."""
        self._begin_bytes, self._begin_tuples = self._read(run)
        self._start = time.perf_counter()

    def after(self, run: ScratchRun, statement: Statement) -> None:
        """Note what was measured."""
        elapsed = time.perf_counter() - self._start
        size, tuples = self._read(run)
        key = self._version, self._numbers.get(statement.offset, 0)
        self.seconds[key] = elapsed
        self.grown[key] = size - self._begin_bytes
        self.tuples[key] = tuples - self._begin_tuples

    def _read(self, run: ScratchRun) -> tuple[int, int]:
        """Return the size of the database, and the number of rows that the open transaction has read and changed."""
        if self._beside is None:
            return 0, 0
        row = self._beside.execute(_SIZE).fetchone()
        opened = run.connection.info.transaction_status == pq.TransactionStatus.INTRANS
        return int(row[0]) if row else 0, int(run.read_between(_TUPLES) or 0) if opened else 0


def measure(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    files: Sequence[RehearsedMigration],
    wanted: Mapping[str, Collection[str]],
    source: RowSource,
) -> Measurements:
    """Return the measurements of files that run after `before`; `wanted` are the tables that each file needs with rows.

    A file that fails on generated rows is measured up to the statement that fails; the next one then runs on tables that are
    filled again, without what the file changed in rows. Raises RunnerError if something other than one of the files fails.
    """
    made = Measurements()
    after, files = _run_empty(server, before, files, made, source.deadline)
    start = 0
    while start < len(files):
        names = {name for file in files[start:] for name in wanted.get(file.name, ())}
        if not names:
            return made
        if time.monotonic() > source.deadline:
            made.reasons.update({file.name: "the time for measurements was used up" for file in files[start:]})
            return made
        start = _run_filled(server, [*before, *files[:start]], files, start, names, after, source, made)
    return made


def _run_empty(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    files: Sequence[RehearsedMigration],
    made: Measurements,
    deadline: float,
) -> tuple[Shapes, Sequence[RehearsedMigration]]:
    """Run the files without rows; return the tables afterwards, and the files up to the first that fails."""
    with state_after(server, before) as database, _open(database) as (rehearsal, connection):
        for place, file in enumerate(files):
            if time.monotonic() > deadline:
                made.reasons.update({each.name: "the time for measurements was used up" for each in files[place:]})
                files = files[:place]
                break
            stopwatch = Stopwatch(file)
            rehearsal.observe(stopwatch)
            error = rehearsal.run(file, "up").error
            made.empty |= stopwatch.seconds
            if error is not None:
                made.reasons[file.name] = f"it fails on scratch: {_describe(error)}"
                files = files[:place]
                break
        return read_shapes(connection), files


def _run_filled(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    files: Sequence[RehearsedMigration],
    start: int,
    names: Collection[str],
    after: Shapes,
    source: RowSource,
    made: Measurements,
) -> int:
    """Run files from one of them on with rows; return the place after the one that fails, or after the last one."""
    with state_after(server, before) as database:
        with connect(database.url, name="migrate-rows") as connection:
            tables = fill_for(connection, names, merge_constraints(read_shapes(connection), after), source)
        for place, file in enumerate(files[start:], start):
            left_s = max(source.deadline - time.monotonic(), _SHORTEST_S)
            made.tables[file.name] = tables
            with _open(database, left_s) as (rehearsal, connection):
                stopwatch = Stopwatch(file, connection)
                rehearsal.observe(stopwatch)
                error = rehearsal.run(file, "up").error
            made.filled |= stopwatch.seconds
            made.grown |= stopwatch.grown
            made.tuples |= stopwatch.tuples
            if error is not None:
                made.reasons[file.name] = f"the file fails on generated rows: {_describe(error)}"
                return place + 1
    return len(files)


@contextmanager
def _open(database: ScratchDatabase, timeout_s: float | None = None) -> Iterator[tuple[Rehearsal, psycopg.Connection]]:
    """Open a rehearsal on a scratch database, and a session beside it."""
    with ExitStack() as stack:
        connection = stack.enter_context(connect(database.url, name="migrate-measure"))
        yield stack.enter_context(Rehearsal(database, timeout_s=timeout_s)), connection


def _describe(error: RunnerError) -> str:
    return " ".join(error.message.split())
