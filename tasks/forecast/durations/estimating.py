"""Estimate the durations of the statements of the pending files."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from tasks.forecast.durations.live_sizes import LiveSize, LiveSizes, read_sizes
from tasks.forecast.durations.measuring import Key, Measurements, measure
from tasks.forecast.durations.ranges import (
    Scale,
    estimate_catalog,
    estimate_disk,
    estimate_from_size,
    estimate_range,
    grows,
)
from tasks.forecast.durations.rows.filling import FilledTables, RowSource
from tasks.forecast.durations.rows.mentions import find_mentioned
from tasks.forecast.durations.workloads import Workload, find_workload
from tasks.forecast.model import ObservedStatement, StatementDuration
from tasks.forecast.observing.observe import arrange
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events.numbers import NumbersRead

BUDGET_S = 30.0
"""How long the measurements for a plan may take, in seconds."""

_FILL_S, _FILL_SHARE = 2.0, 0.4
"""How long a table is filled at most, and which share of the time is for filling all of them."""


def estimate(
    server: ScratchServer,
    selection: Selection,
    observed: Sequence[ObservedStatement],
    numbers: NumbersRead | None,
    *,
    budget_s: float = BUDGET_S,
) -> Mapping[Key, StatementDuration]:
    """Return the duration of each observed statement in the environment of the numbers, by version and number.

    It is None where it cannot be estimated, with the reason: without numbers, for a file that fails on generated rows, and for
    what did not fit into `budget_s`. Raises RunnerError if something other than a migration fails on scratch.
    """
    if numbers is None:
        return {(each.version, each.number): _estimate_without(each) for each in observed}
    sizes = read_sizes(numbers)
    works = {(each.version, each.number): find_workload(each, sizes) for each in observed}
    measurements = _measure(server, selection, works, sizes, budget_s)
    return dict(Estimation(sizes, works, measurements).list_durations(observed))


class Estimation:
    """The durations of the statements, from the live sizes and what was measured on scratch."""

    def __init__(self, sizes: LiveSizes, works: Mapping[Key, Workload], measurements: Measurements) -> None:
        self._sizes = sizes
        self._works = works
        self._measurements = measurements
        self._carried = Scale()
        """That of the rows which earlier statements have written into tables that do not exist in the environment."""

    def list_durations(self, observed: Sequence[ObservedStatement]) -> Iterator[tuple[Key, StatementDuration]]:
        """Yield the duration of each statement."""
        for statement in observed:
            key = statement.version, statement.number
            yield key, self._estimate(statement, key, self._works[key])

    def _estimate(self, statement: ObservedStatement, key: Key, work: Workload) -> StatementDuration:
        removed = sum(
            self._sizes.measure(table).total_bytes for table in self._sizes.find_tables((*statement.drops, *statement.empties))
        )
        measured = self._measurements.find(key)
        if work.dependence == "catalog":
            return StatementDuration(estimate_catalog(len(statement.locks), removed, measured))
        filled = self._measurements.tables.get(statement.version, FilledTables())
        problem = next((filled.problems[table] for table in work.tables if table in filled.problems), "")
        if measured is None or problem:
            return self._estimate_unmeasured(statement, work, problem)
        scale = self._scale(work, filled) if work.tables else self._carried
        if work.dependence == "rows":
            if not grows(measured):
                return StatementDuration(estimate_catalog(len(statement.locks), removed, measured))
            self._carried = max(self._carried, scale, key=lambda each: each.high)
        disk = estimate_disk(measured, scale, self._count_rewritten(statement))
        return StatementDuration(estimate_range(measured, scale, work), disk, tuple(self._list_unknown(statement, work)))

    def _estimate_unmeasured(self, statement: ObservedStatement, work: Workload, problem: str) -> StatementDuration:
        reason = self._measurements.reasons.get(statement.version, "it was not run on scratch")
        if problem:
            reason = f"no rows could be generated: {problem}"
        live = self._sum(work.tables)
        rewritten = self._count_rewritten(statement)
        writes = bool(rewritten) or statement.node in ("IndexStmt", "ReindexStmt")
        seconds = estimate_from_size(work, live.total_bytes if rewritten else live.heap_bytes, writes=writes)
        what = "how long it takes" if seconds is None else "how long it takes, more exactly than its size suggests"
        return StatementDuration(seconds, rewritten or None, (f"{what}: {reason}",))

    def _scale(self, work: Workload, filled: FilledTables) -> Scale:
        tables = work.sources or work.tables
        live = self._sum(tables)
        scratch = _sum(filled.sizes[table] for table in tables if table in filled.sizes)
        rows = live.rows / max(scratch.rows, 1)
        size = live.heap_bytes / max(scratch.heap_bytes, 1)
        if live.guessed:
            return Scale(size, size, live.total_bytes, scratch.rows * size)
        if rows <= 1:
            return Scale(rows, min(size, 4.0) if live.rows < 1000 else size, live.total_bytes, live.rows)
        return Scale(rows, size, live.total_bytes, live.rows)

    def _sum(self, tables: Collection[str]) -> LiveSize:
        return _sum(self._sizes.measure(table) for table in tables)

    def _count_rewritten(self, statement: ObservedStatement) -> int:
        """Return the bytes of what a statement rewrites: tables with their indexes, and indexes of others."""
        if statement.empties:
            return 0
        tables = [name for name in statement.rewrites if self._sizes.find_table(name) == name]
        indexes = [name for name in statement.rewrites if self._sizes.find_table(name) not in (name, *tables)]
        return self._sum(tables).total_bytes + sum(self._sizes.measure_index(name) for name in indexes)

    def _list_unknown(self, statement: ObservedStatement, work: Workload) -> Iterator[str]:
        for table in work.tables:
            if self._sizes.measure(table).guessed:
                yield f"the number of rows of {table}, which was never analysed: it is estimated from its size"
        if statement.node in ("DeleteStmt", "UpdateStmt") and " where " in " ".join(statement.statement.lower().split()):
            yield "how many rows it changes: the share of generated rows is used"


def _measure(
    server: ScratchServer, selection: Selection, works: Mapping[Key, Workload], sizes: LiveSizes, budget_s: float
) -> Measurements:
    """Measure the files that contain a statement whose duration depends on rows, and those between them."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for (version, _), work in works.items():
        if work.dependence != "catalog":
            wanted[version].update(work.tables)
    if not wanted:
        return Measurements()
    before, files = arrange(selection)
    places = [place for place, file in enumerate(files) if file.name in wanted]
    if not places:
        return Measurements()
    before, files = [*before, *files[: places[0]]], files[places[0] : places[-1] + 1]
    tables = {name for names in wanted.values() for name in names}
    each_s = min(_FILL_S, budget_s * _FILL_SHARE / max(len(tables), 1))
    most_rows = {table: work.most_rows for work in works.values() for table in work.tables if work.most_rows}
    source = RowSource(sizes, _find_mentioned(files), each_s, time.monotonic() + budget_s, most_rows)
    return measure(server, before, files, wanted, source)


def _find_mentioned(files: Sequence[RehearsedMigration]) -> dict[str, tuple[str, ...]]:
    return find_mentioned(file.up for file in files)


def _estimate_without(statement: ObservedStatement) -> StatementDuration:
    """Return the duration of a statement without the numbers of an environment."""
    work = find_workload(statement, LiveSizes())
    if work.dependence == "catalog" and not (statement.rewrites or statement.scans or statement.drops):
        return StatementDuration(estimate_catalog(len(statement.locks)))
    return StatementDuration(None, None, ("how long it takes: the sizes of the tables are not known",))


def _sum(sizes: Iterator[LiveSize]) -> LiveSize:
    total = LiveSize()
    for each in sizes:
        total = LiveSize(
            total.rows + each.rows,
            total.heap_bytes + each.heap_bytes,
            total.index_bytes + each.index_bytes,
            total.guessed or each.guessed,
        )
    return total
