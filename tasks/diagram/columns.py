"""Arrange connected tables in columns, and order each column so that few lines cross.

The method is that of Sugiyama, Tagawa and Toda (1981): https://en.wikipedia.org/wiki/Layered_graph_drawing
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.diagram.model import ForeignKey

GAP_X, GAP_Y = 90.0, 28.0
_LANE, _LANE_GAP = 4.0, 8.0
_ROUNDS = 8
"""How often the order and the heights are improved."""
_LOWEST_LIMIT = 700.0
"""The height that a column may have in any case."""


@dataclass(slots=True)
class Item:
    """A table in a column, or a lane: the space for the lines to a table of another column."""

    name: str
    is_lane: bool
    height: float
    y: float = 0.0

    @property
    def middle(self) -> float:
        """Return the height of its middle."""
        return self.y + self.height / 2


def arrange(names: Sequence[str], keys: Sequence[ForeignKey], heights: Mapping[str, float]) -> list[list[Item]]:
    """Return the columns from left to right, with the lanes; a column that would be too high becomes several."""
    ranks = _rank(names, keys)
    limit = max(_LOWEST_LIMIT, math.sqrt(sum(heights.values()) * 300.0))
    columns: list[list[Item]] = []
    places: dict[str, float] = {}
    targets: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        targets[key.table].append(key.target)
    for rank in sorted(set(ranks.values())):
        members = [name for name in names if ranks[name] == rank]
        members.sort(key=lambda name: _mean([places[target] for target in targets[name] if target in places], 0.0))
        height = limit
        for name in members:
            if height + heights[name] > limit:
                columns.append([])
                height = 0.0
            columns[-1].append(Item(name, False, heights[name]))
            places[name] = height
            height += heights[name] + GAP_Y
    _add_lanes(columns, keys)
    return columns


def _rank(names: Sequence[str], keys: Sequence[ForeignKey]) -> dict[str, int]:
    """Return for each table its distance from those that refer to nothing; a cycle begins at its most referenced table."""
    open_targets: dict[str, set[str]] = {name: set() for name in names}
    sources: dict[str, set[str]] = {name: set() for name in names}
    for key in keys:
        if key.table != key.target:
            open_targets[key.table].add(key.target)
            sources[key.target].add(key.table)
    ranks: dict[str, int] = {}
    lowest = dict.fromkeys(names, 0)
    ready = [name for name in names if not open_targets[name]]
    while len(ranks) < len(names):
        if not ready:
            left = (name for name in names if name not in ranks)
            ready = [min(left, key=lambda name: (len(open_targets[name]), -len(sources[name]), name))]
        name = ready.pop()
        if name in ranks:
            continue
        ranks[name] = lowest[name]
        for source in sorted(sources[name]):
            if source not in ranks:
                open_targets[source].discard(name)
                lowest[source] = max(lowest[source], ranks[name] + 1)
                if not open_targets[source]:
                    ready.append(source)
    return ranks


def _add_lanes(columns: list[list[Item]], keys: Sequence[ForeignKey]) -> None:
    home = {item.name: index for index, items in enumerate(columns) for item in items}
    lanes = {(key.target, column) for key in keys for column in _list_between(home[key.table], home[key.target])}
    for target, column in sorted(lanes):
        columns[column].append(Item(target, True, _LANE))


def _list_between(first: int, last: int) -> range:
    return range(min(first, last) + 1, max(first, last))


def position(columns: Sequence[list[Item]], keys: Sequence[ForeignKey]) -> None:
    """Order the columns and set the heights of their items, each near those that lines connect with it."""
    near = _find_neighbours(columns, keys)
    for items in columns:
        _stack(items)
    for turn in range(_ROUNDS):
        for items in columns if turn % 2 == 0 else reversed(columns):
            wanted = {id(item): _mean([other.middle for other in near[id(item)]], item.middle) for item in items}
            if turn < _ROUNDS // 2:
                items.sort(key=lambda item: wanted[id(item)])
            _settle(items, [wanted[id(item)] - item.height / 2 for item in items])
    top = min(item.y for items in columns for item in items)
    for items in columns:
        for item in items:
            item.y -= top


def _find_neighbours(columns: Sequence[list[Item]], keys: Sequence[ForeignKey]) -> dict[int, list[Item]]:
    """Return the items of other columns that a line connects with each item."""
    home = {item.name: (index, item) for index, items in enumerate(columns) for item in items if not item.is_lane}
    lanes = {(item.name, index): item for index, items in enumerate(columns) for item in items if item.is_lane}
    near: dict[int, dict[int, Item]] = defaultdict(dict)
    for key in keys:
        (first, start), (last, end) = home[key.table], home[key.target]
        if first == last:
            continue
        between = [lanes[key.target, column] for column in _list_between(first, last)]
        chain = [start, *(between if last > first else reversed(between)), end]
        for one, other in itertools.pairwise(chain):
            near[id(one)][id(other)] = other
            near[id(other)][id(one)] = one
    return defaultdict(list, {item: list(others.values()) for item, others in near.items()})


def _stack(items: Sequence[Item]) -> None:
    y = 0.0
    for item, offset in zip(items, _list_offsets(items), strict=True):
        item.y = y + offset


def _list_offsets(items: Sequence[Item]) -> Iterator[float]:
    """Yield the height of each item if they are as close as possible."""
    y = 0.0
    for index, item in enumerate(items):
        if index:
            y += items[index - 1].height + (_LANE_GAP if item.is_lane and items[index - 1].is_lane else GAP_Y)
        yield y


def _settle(items: Sequence[Item], wanted: Sequence[float]) -> None:
    """Set the heights of a column's items in their order to those nearest to the wanted ones, without overlaps.

    What is too close is joined to a block at the mean of its heights: https://en.wikipedia.org/wiki/Isotonic_regression
    """
    offsets = list(_list_offsets(items))
    blocks: list[tuple[float, int]] = []
    for height, offset in zip(wanted, offsets, strict=True):
        total, number = height - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / number:
            more, count = blocks.pop()
            total, number = total + more, number + count
        blocks.append((total, number))
    means = [total / number for total, number in blocks for _ in range(number)]
    for item, mean, offset in zip(items, means, offsets, strict=True):
        item.y = mean + offset


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
