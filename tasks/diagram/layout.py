"""Where the tables and foreign keys of a diagram are drawn: in columns, each table to the right of those that it refers to.

A foreign key to a table that is further away passes between the tables of the columns on its way, in a lane that all foreign keys
to that table share; so no line crosses a table. What foreign keys do not connect is placed side by side.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.diagram.columns import GAP_X, GAP_Y, Item, arrange, position
from tasks.diagram.components import find_components
from tasks.diagram.model import Diagram, ForeignKey

Point = tuple[float, float]
_ASPECT = 1.5
"""How much wider than high the picture is, if its tables allow that."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, as the place of a table."""

    x: float
    y: float
    width: float
    height: float

    def move(self, x: float, y: float) -> Box:
        """Return the rectangle at another place."""
        return Box(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Connector:
    """The line of a foreign key, from the table that has it to the one to which it refers.

    It is straight where two points have the same height, and a curve that is horizontal at its ends elsewhere.
    """

    key: ForeignKey
    points: tuple[Point, ...]
    loops: bool = False
    """Whether both ends are at the right of their tables, in one column."""

    def move(self, x: float, y: float) -> Connector:
        """Return the line at another place."""
        return Connector(self.key, tuple((left + x, top + y) for left, top in self.points), self.loops)


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all tables and lines, and the size of the picture."""

    boxes: Mapping[str, Box]
    connectors: tuple[Connector, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a table, and the height of the middle of each of its columns."""

    width: float
    height: float
    rows: Mapping[str, float]


def make_layout(diagram: Diagram, sizes: Mapping[str, Size]) -> Layout:
    """Return the places of the tables, of which the sizes are known, and of the foreign keys."""
    keys: dict[str, list[ForeignKey]] = defaultdict(list)
    for key in diagram.keys:
        keys[key.table].append(key)
    parts = []
    singles = []
    for component in find_components(diagram):
        names = [table.name for table in component]
        if len(names) == 1:
            singles.append(names[0])
        else:
            parts.append(_place_component(names, [key for name in names for key in keys[name]], sizes))
    ordered = [_place_component([name], keys[name], sizes) for name in sorted(singles)]
    area = sum((part.width + GAP_X) * (part.height + GAP_Y) for part in (*parts, *ordered))
    width = max([math.sqrt(area * _ASPECT), *(part.width for part in (*parts, *ordered))], default=0.0)
    return _join([*_fill_shelves(parts, width), *_fill_columns(ordered, width, _measure_shelves(parts, width))])


_Placed = tuple[Layout, float, float]


def _fill_shelves(parts: Sequence[Layout], width: float) -> Iterator[_Placed]:
    """Yield the place of each part: in rows as high as their first part, beside which lower ones are stacked."""
    x = y = wide = top = row = 0.0
    for part in sorted(parts, key=lambda part: -part.height):
        if y and y + part.height > row:
            x, y, wide = x + wide + GAP_X, 0.0, 0.0
        if x and x + part.width > width:
            top, x, y, wide, row = top + row + 2 * GAP_Y, 0.0, 0.0, 0.0, 0.0
        row = row or part.height
        yield part, x, top + y
        y, wide = y + part.height + 2 * GAP_Y, max(wide, part.width)


def _measure_shelves(parts: Sequence[Layout], width: float) -> float:
    ends = [y + part.height for part, _, y in _fill_shelves(parts, width)]
    return max(ends) + 2 * GAP_Y if ends else 0.0


def _fill_columns(parts: Sequence[Layout], width: float, top: float) -> Iterator[_Placed]:
    """Yield the place of each part: in as many columns as fit, each time in the shortest one."""
    if not parts:
        return
    widest = max(part.width for part in parts) + GAP_X / 2
    ends = [top] * max(1, int((width + GAP_X / 2) // widest))
    for part in parts:
        column = ends.index(min(ends))
        yield part, column * widest, ends[column]
        ends[column] += part.height + GAP_Y


def _join(placed: Sequence[_Placed]) -> Layout:
    boxes = {name: box.move(x, y) for part, x, y in placed for name, box in part.boxes.items()}
    connectors = tuple(each.move(x, y) for part, x, y in placed for each in part.connectors)
    width = max((x + part.width for part, x, _ in placed), default=0.0)
    return Layout(boxes, connectors, width, max((y + part.height for part, _, y in placed), default=0.0))


def _place_component(names: Sequence[str], keys: Sequence[ForeignKey], sizes: Mapping[str, Size]) -> Layout:
    """Return the places of tables that foreign keys connect."""
    columns = arrange(names, keys, {name: sizes[name].height for name in names})
    position(columns, keys)
    widths = [max((sizes[item.name].width for item in items if not item.is_lane), default=0.0) for items in columns]
    lefts = [sum(widths[:index]) + GAP_X * index for index in range(len(columns))]
    places = {(item.name, item.is_lane, index): item for index, items in enumerate(columns) for item in items}
    home = {item.name: index for index, items in enumerate(columns) for item in items if not item.is_lane}
    boxes = {
        name: Box(lefts[column], places[name, False, column].y, sizes[name].width, sizes[name].height)
        for name, column in home.items()
    }
    connectors = tuple(
        _connect(key, boxes, sizes, [(lefts[k], lefts[k] + widths[k]) for k in range(len(columns))], home, places) for key in keys
    )
    loops = any(home[key.table] == home[key.target] == len(columns) - 1 for key in keys)
    width = max(box.x + box.width for box in boxes.values()) + (GAP_X / 2 if loops else 0.0)
    bottom = max(item.y + item.height for items in columns for item in items)
    return Layout(boxes, connectors, width, bottom)


def _connect(
    key: ForeignKey,
    boxes: Mapping[str, Box],
    sizes: Mapping[str, Size],
    spans: Sequence[tuple[float, float]],
    home: Mapping[str, int],
    places: Mapping[tuple[str, bool, int], Item],
) -> Connector:
    """Return the line of a foreign key; `spans` are the left and right ends of the columns."""
    start, end = boxes[key.table], boxes[key.target]
    first, last = home[key.table], home[key.target]
    start_y = start.y + sizes[key.table].rows.get(key.columns[0], start.height / 2)
    end_y = end.y + sizes[key.target].rows.get(key.target_columns[0], end.height / 2)
    right = 1 if last >= first else 0
    points = [(start.x + start.width * right, start_y), (spans[first][right], start_y)]
    for column in range(first + 1, last) if last > first else range(first - 1, last, -1):
        lane = places[key.target, True, column]
        middle = lane.y + lane.height / 2
        points += [(spans[column][1 - right], middle), (spans[column][right], middle)]
    side = 0 if last > first else 1
    points += [(spans[last][side], end_y), (end.x + end.width * side, end_y)]
    return Connector(key, tuple(dict.fromkeys(points)), loops=first == last)
