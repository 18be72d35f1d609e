"""The verdict on each statement of a pending file: what was observed on scratch, joined with the numbers of a live database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.forecast.events import StatementForecast
from tasks.forecast.live_relations import LiveRelations
from tasks.forecast.model import ObservedStatement, StatementDuration, Verdict
from tasks.forecast.rows_lost import count_lost
from tasks.forecast.waiting import list_waits
from tasks.runner.events.numbers import NumbersRead

BRIEF_S = 1.0
"""How long queries may be kept out for a statement that is called brief."""
_QUERIES = frozenset({"select", "insert", "update", "delete"})
_READS_OR_WRITES_ROWS = frozenset(
    {
        "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "SelectStmt", "CopyStmt", "CreateTableAsStmt",
        "RefreshMatViewStmt", "DoStmt", "CallStmt", "ExecuteStmt", "ClusterStmt", "VacuumStmt", "ReindexStmt", "",
    }
)  # fmt: skip
"""Statements that may take long without a scan or a rewrite of a table that existed before; "" is one that is not parsed."""

_Seconds = tuple[float, float]


def judge(
    statements: Sequence[ObservedStatement], durations: Mapping[int, StatementDuration], numbers: NumbersRead | None
) -> tuple[StatementForecast, ...]:
    """Return the forecast of each statement of one file; `durations` by the numbers of the statements."""
    live = LiveRelations(numbers)
    return tuple(_judge_one(each, statements, durations, live) for each in statements)


def _judge_one(
    statement: ObservedStatement,
    statements: Sequence[ObservedStatement],
    durations: Mapping[int, StatementDuration],
    live: LiveRelations,
) -> StatementForecast:
    own = durations.get(statement.number, StatementDuration(None))
    held = [each for each in statements if _is_held_during(statement, each)] if statement.keeps_out else []
    seconds = [durations[each.number].seconds if each.number in durations else None for each in held]
    blocked = _add(seconds)
    unknown = [each for each, known in zip(held, seconds, strict=True) if known is None]
    long = blocked[1] > BRIEF_S if blocked else any(_may_be_long(each, live) for each in unknown)
    lost = count_lost(statement, live)
    waits_for, prepared = list_waits(statement, live)
    others = (f"how long the statement on line {each.line} takes is not known" for each in unknown if each is not statement)
    reasons = (*statement.not_known, *own.not_known, *lost.reasons, *prepared, *others)
    return StatementForecast(
        version=statement.version,
        line=statement.line,
        statement=statement.statement,
        transactional=statement.transactional,
        locks=statement.locks,
        held_to=statement.held_to,
        rewrites=statement.rewrites,
        scans=statement.scans,
        keeps_out=statement.keeps_out,
        verdict="loses_rows" if lost.any else _choose_verdict(statement, live, long=long),
        seconds=own.seconds,
        rows_lost=lost.number if lost.any else None,
        waits_for=waits_for,
        source=statement.source,
        not_known=tuple(dict.fromkeys(reasons)),
        blocked_seconds=blocked,
        number=statement.number,
        disk_bytes=own.disk_bytes,
    )


def _is_held_during(statement: ObservedStatement, other: ObservedStatement) -> bool:
    """Return True if the locks of a statement are held while another one runs: from itself to the end of its transaction."""
    if other is statement or not statement.transactional or statement.held_to is None:
        return other is statement
    return other.transactional and other.number > statement.number and other.line <= statement.held_to


def _add(seconds: Sequence[_Seconds | None]) -> _Seconds | None:
    """Return the sum of some ranges; None if there are none, or if one of them is not known."""
    known = [each for each in seconds if each is not None]
    if not known or len(known) < len(seconds):
        return None
    return sum(low for low, _ in known), sum(high for _, high in known)


def _may_be_long(statement: ObservedStatement, live: LiveRelations) -> bool:
    """Return True if a statement whose duration is not known may take longer than a change of the catalog does."""
    return statement.node in _READS_OR_WRITES_ROWS or any(live.is_used(each) for each in (*statement.rewrites, *statement.scans))


def _choose_verdict(statement: ObservedStatement, live: LiveRelations, *, long: bool) -> Verdict:
    """Return the verdict on a statement that loses no rows; what is kept out of a table that nothing uses does not count."""
    used = [operations for relation, operations in statement.keeps_out.items() if live.is_used(relation)]
    kept = {operation for operations in used for operation in operations}
    if not kept & _QUERIES:
        return "harmless"
    if not long:
        return "brief"
    return "blocks_all" if "select" in kept else "blocks_writes"
