"""The forecast of a selection of migrations: what is observed on scratch, measured, and read from the environment, as events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from tasks.forecast.durations import estimate
from tasks.forecast.durations.estimating import BUDGET_S
from tasks.forecast.events import (
    FileObserved,
    ForecastFailed,
    ForecastFinished,
    ForecastNotMade,
    ForecastStarted,
    RelationFacts,
    StatementForecast,
)
from tasks.forecast.limits import Limit, TimeUsedUpError
from tasks.forecast.live_relations import LiveRelations
from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import FileFailed, observe
from tasks.forecast.ranking import rank
from tasks.forecast.verdicts import judge
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.clock import count_ms
from tasks.runner.errors import describe_error
from tasks.runner.events import Event
from tasks.runner.events.numbers import NumbersRead, OpenTransaction

_SHORTEST_S = 5.0
"""How long the measurements may take, if observing has used up the time."""


def forecast(
    server: ScratchServer,
    selection: Selection,
    numbers: NumbersRead | None = None,
    *,
    not_known: Sequence[str] = (),
    timeout_s: float | None = None,
    limit: Limit | None = None,
) -> Iterator[Event]:
    """Yield ForecastStarted, a StatementForecast for each statement, the worst first, ForecastFailed, and ForecastFinished.

    `numbers` are those of the environment, None if they could not be read. `not_known` are sentences about what the caller does
    not know. ForecastFailed names the first migration that fails on scratch: those before it have forecasts, those after it do
    not. `timeout_s` is the time limit of each migration, `limit` that of all: ForecastNotMade is about those that did not fit
    into it. Raises RunnerError if something other than a migration fails.
    """
    limit = limit or Limit()
    begun = time.monotonic()
    if numbers and not selection.server_version:
        selection = replace(selection, server_version=numbers.server_version)
    chosen = [migration.name for migration in selection.list_chosen()]
    yield start(selection, numbers, server_version=server.version, without=server.without, not_known=not_known)
    replayed = _ObservedFiles()
    yield from _replay(server, selection, timeout_s, limit, replayed)
    if replayed.remaining and not replayed.statements:
        raise TimeUsedUpError("it would take too long")
    statements = _judge_files(server, selection, replayed.statements, numbers, limit)
    yield from sorted(statements, key=rank)
    for failed in replayed.failures:
        left_out = len([version for version in chosen if version > failed.version])
        yield ForecastFailed(failed.version, describe_error(failed.error, server.url), left_out)
    if replayed.remaining:
        yield ForecastNotMade(selection.environment, f"of the last {replayed.remaining} migrations: it would take too long")
    count = len(chosen) - replayed.remaining
    if replayed.failures:
        count = sum(version < replayed.failures[0].version for version in chosen)
    yield finish(statements, numbers, count=count, found=len(replayed.failures), duration_ms=count_ms(begun))


def start(
    selection: Selection,
    numbers: NumbersRead | None,
    *,
    server_version: int = 0,
    without: tuple[str, ...] = (),
    not_known: Sequence[str] = (),
) -> ForecastStarted:
    """Return the start of a forecast."""
    return ForecastStarted(
        len(selection.list_chosen()),
        len(selection.migrations),
        selection.reason,
        server_version,
        without,
        selection.environment,
        selection.server_version,
        (*not_known, *(numbers.not_known if numbers else ())),
    )


def finish(
    statements: Sequence[StatementForecast], numbers: NumbersRead | None, *, count: int, found: int, duration_ms: int
) -> ForecastFinished:
    """Return the end of a forecast, with what is known of the relations and sessions that the statements name."""
    needed = [each.disk_bytes for each in statements if each.disk_bytes is not None]
    return ForecastFinished(
        count,
        len(statements),
        found,
        duration_ms,
        dict(Counter(each.verdict for each in statements)),
        max(needed, default=None),
        numbers.free_bytes if numbers else None,
        tuple(_list_facts(statements, numbers)),
        _list_sessions(statements, numbers),
    )


@dataclass
class _ObservedFiles:
    statements: list[ObservedStatement] = field(default_factory=list)
    failures: list[FileFailed] = field(default_factory=list)
    remaining: int = 0
    """How many of the selected files were not observed, because the time was used up."""


def _replay(
    server: ScratchServer, selection: Selection, timeout_s: float | None, limit: Limit, replayed: _ObservedFiles
) -> Iterator[FileObserved]:
    """Observe the selected files, note what they do and the file that fails, and yield which one is observed next."""
    waiting = [migration.name for migration in selection.list_chosen()]
    count = len(waiting)
    yield FileObserved(waiting[0] if waiting else "", 1, count)
    try:
        for each in observe(server, selection, timeout_s=timeout_s, limit=limit):
            if isinstance(each, FileFailed):
                replayed.failures.append(each)
                continue
            replayed.statements.append(each)
            if each.version in waiting:
                del waiting[: waiting.index(each.version) + 1]
                yield FileObserved(waiting[0] if waiting else "", count - len(waiting) + 1, count)
    except TimeUsedUpError:
        replayed.remaining = len(waiting)


def _judge_files(
    server: ScratchServer,
    selection: Selection,
    observed: Sequence[ObservedStatement],
    numbers: NumbersRead | None,
    limit: Limit,
) -> list[StatementForecast]:
    durations = estimate(server, selection, observed, numbers, budget_s=min(BUDGET_S, max(limit.left_s, _SHORTEST_S)))
    judged: list[StatementForecast] = []
    for version, group in groupby(observed, key=lambda each: each.version):
        file = list(group)
        own = {each.number: durations[version, each.number] for each in file if (version, each.number) in durations}
        for seen, made in zip(file, judge(file, own, numbers), strict=True):
            needs = seen.needs_old_transactions_to_end
            judged.append(replace(made, needs_old_transactions_to_end=needs, briefly=seen.briefly))
    return judged


def _list_facts(statements: Sequence[StatementForecast], numbers: NumbersRead | None) -> Iterator[RelationFacts]:
    """Yield what is known of the relations that are named; the size of a partitioned table is that of its partitions."""
    live = LiveRelations(numbers)
    named = dict.fromkeys(
        name
        for each in statements
        for name in (*each.keeps_out, *each.rewrites, *each.scans, *(lock.relation for lock in each.locks))
    )
    for name in named:
        found = live.find(name)
        if found is not None:
            leaves = live.list_leaves([name])
            rows = [leaf.rows for leaf in leaves]
            size = sum(leaf.heap_bytes + leaf.index_bytes for leaf in leaves)
            counted = None if found.table or -1 in rows else sum(rows)
            yield RelationFacts(name, counted, size, found.parent, found.table)


def _list_sessions(statements: Sequence[StatementForecast], numbers: NumbersRead | None) -> tuple[OpenTransaction, ...]:
    pids = {pid for each in statements for pid in each.waits_for}
    return tuple(each for each in numbers.transactions if each.pid in pids) if numbers else ()
