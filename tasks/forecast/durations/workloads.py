"""What the duration of a statement depends on: only on the catalog, on the size of tables, or on the rows that it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tasks.forecast.durations.live_sizes import LiveSizes
from tasks.forecast.model import ObservedStatement

Dependence = Literal["catalog", "size", "rows"]

_READS_ROWS = frozenset(
    {
        "",
        "CallStmt",
        "CopyStmt",
        "CreateTableAsStmt",
        "DeleteStmt",
        "DoStmt",
        "ExecuteStmt",
        "InsertStmt",
        "MergeStmt",
        "RefreshMatViewStmt",
        "SelectStmt",
        "UpdateStmt",
    }
)
"""The statements whose duration depends on the rows that they find, or on what their code does."""
_BUILDS = frozenset({"ClusterStmt", "IndexStmt", "ReindexStmt", "VacuumStmt"})
"""The statements that work through the tables that they lock, whatever the scans of an observation on a few rows are."""
_CREATES = frozenset({*_BUILDS, "AlterTableStmt"})
"""What may work through a table that an earlier statement of the file created and filled."""
_METHOD = re.compile(r"\bUSING\s+\"?(hnsw|diskann|vchordrq|ivfflat|gin|gist|spgist)\b", re.IGNORECASE)
_COSTLY_ROWS = {"hnsw": 2_000, "diskann": 2_000}
_MOST_COSTLY_ROWS = 20_000
"""On how many rows an index that takes milliseconds for each row is measured."""
_QUERY = re.compile(r"\b(?:SELECT|TABLE)\b", re.IGNORECASE)
_ANALYZE = re.compile(r"ANALY[ZS]E\b", re.IGNORECASE)
_VACUUM = re.compile(r"VACUUM\b(?!\s+FULL)(?!\s*\([^)]*\bFULL\b(?!\s*(?:false|off|0)))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Workload:
    """What the duration of a statement depends on; `tables` are those that exist in the environment and have rows there."""

    dependence: Dependence
    tables: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Those of them whose sizes count, if not all do: an INSERT takes as long as what it reads is large."""
    superlinear: bool = False
    """Whether it takes more than twice as long for twice the rows, as the build of an index for similarity or full text does."""
    samples: bool = False
    """Whether it reads a sample of the rows only: ANALYZE."""
    skips: bool = False
    """Whether it may skip most pages: VACUUM, which reads those that changed since the last one."""
    most_rows: int | None = None
    """On how many rows it is measured at most, if it takes long for each."""


def find_workload(statement: ObservedStatement, sizes: LiveSizes) -> Workload:
    """Return what the duration of a statement depends on."""
    text = statement.statement
    locked = sizes.find_tables(lock.relation for lock in statement.locks)
    worked_on = sizes.find_tables((*statement.rewrites, *statement.scans))
    if statement.node in _BUILDS | _READS_ROWS:
        worked_on = tuple(dict.fromkeys((*worked_on, *locked)))
    if statement.node == "InsertStmt" and not _QUERY.search(text):
        worked_on = ()
    filled = tuple(table for table in worked_on if sizes.measure(table).rows >= 1)
    method = _METHOD.search(text)
    superlinear = statement.node == "IndexStmt" and method is not None
    samples, skips = _ANALYZE.match(text) is not None, _VACUUM.match(text) is not None
    if statement.node in _READS_ROWS:
        return Workload("rows", filled, _find_sources(statement, filled))
    if filled and not statement.empties:
        most = _COSTLY_ROWS.get(method[1].lower(), _MOST_COSTLY_ROWS) if method and superlinear else None
        return Workload("size", filled, (), superlinear, samples, skips, most)
    if statement.node in _CREATES and not locked:
        return Workload("rows", superlinear=superlinear)
    return Workload("catalog")


def _find_sources(statement: ObservedStatement, filled: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tables that an INSERT or a REFRESH only reads."""
    if statement.node not in ("InsertStmt", "RefreshMatViewStmt"):
        return ()
    read = {lock.relation for lock in statement.locks if lock.mode == "AccessShareLock"}
    return tuple(table for table in filled if table in read)
