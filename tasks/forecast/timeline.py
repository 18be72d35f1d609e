"""When which table is locked: the statements of all files one after the other, and for each table the spans of its locks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tasks.forecast.events import StatementForecast
from tasks.forecast.grouping import RelationGroup, group_relations


@dataclass(frozen=True, slots=True)
class LockSpan:
    """What is kept out of a relation from one column of the timeline to another, both included."""

    first: int
    last: int
    keeps_out: frozenset[str]


@dataclass(frozen=True, slots=True)
class LockLane:
    """A relation, or a group whose spans are equal, with its spans from left to right; where they overlap, all keep out."""

    group: RelationGroup
    spans: tuple[LockSpan, ...]


@dataclass(frozen=True, slots=True)
class LockTimeline:
    """The statements in their order, one column each, and the lanes of the relations, those that are kept most first.

    Files that keep nothing out are left out.
    """

    columns: tuple[StatementForecast, ...]
    lanes: tuple[LockLane, ...]


def make_timeline(statements: Iterable[StatementForecast], parents: Mapping[str, str]) -> LockTimeline:
    """Return the timeline of the statements, which may be in any order; `parents` are the tables of partitions."""
    columns: list[StatementForecast] = []
    spans: dict[str, list[LockSpan]] = {}
    ordered = sorted(statements, key=lambda each: (each.version, each.number, each.line))
    for _version, group in groupby(ordered, key=lambda each: each.version):
        file = list(group)
        if not any(kept for each in file for kept in each.keeps_out.values()):
            continue
        start = len(columns)
        columns += file
        for index, statement in enumerate(file):
            last = start + _find_end(file, index)
            for relation, kept in statement.keeps_out.items():
                if kept:
                    spans.setdefault(relation, []).append(LockSpan(start + index, last, frozenset(kept)))
    return LockTimeline(tuple(columns), _merge_lanes(spans, parents))


def list_cells(lane: LockLane, columns: int) -> list[frozenset[str]]:
    """Return for each column what is kept out of the relations of a lane then."""
    cells: list[frozenset[str]] = [frozenset()] * columns
    for span in lane.spans:
        for column in range(span.first, span.last + 1):
            cells[column] |= span.keeps_out
    return cells


def _find_end(file: Sequence[StatementForecast], index: int) -> int:
    """Return the index of the statement at whose end the locks of a statement are released."""
    statement = file[index]
    if not statement.transactional or statement.held_to is None:
        return index
    later = [number for number in range(index, len(file)) if file[number].line <= statement.held_to]
    return max(later, default=index)


def _merge_lanes(spans: Mapping[str, Sequence[LockSpan]], parents: Mapping[str, str]) -> tuple[LockLane, ...]:
    alike: dict[tuple[LockSpan, ...], list[str]] = {}
    for relation, found in spans.items():
        alike.setdefault(tuple(found), []).append(relation)
    lanes = [LockLane(group, found) for found, relations in alike.items() for group in group_relations(relations, parents)]
    return tuple(sorted(lanes, key=_rank_lane))


def _rank_lane(lane: LockLane) -> tuple[int, int, int, str]:
    """Return the key that sorts the lane that is kept most first: reads, then writes, then schema changes; the longest first."""
    kept = frozenset[str]().union(*(span.keeps_out for span in lane.spans))
    worst = 0 if "select" in kept else 1 if kept - {"ddl"} else 2
    return worst, -sum(span.last - span.first + 1 for span in lane.spans), lane.spans[0].first, lane.group.relations[0]
