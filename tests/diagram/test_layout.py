"""The places of tables and foreign keys in an SVG image."""

from itertools import combinations, pairwise

import pytest

from tasks.catalog import Difference
from tasks.diagram.build import build_diagram
from tasks.diagram.layout import Box, Layout, Size, make_layout
from tasks.diagram.model import Diagram, DrawnTable, ForeignKey
from tests.diagram.drawing import make_schema


def refer(table: str, target: str) -> ForeignKey:
    return ForeignKey(f"{table}_{target}", table, ("x",), target, ("id",), optional=False, single=False)


def place(diagram: Diagram, height: float = 80.0) -> Layout:
    return make_layout(diagram, {table.name: Size(150.0, height, {"id": 35.0, "x": 53.0}) for table in diagram.tables})


def make_graph(*pairs: str) -> Diagram:
    """Return a diagram in which, for `ab`, the table a refers to the table b."""
    names = sorted(set("".join(pairs)))
    return Diagram(tuple(map(DrawnTable, names)), tuple(refer(*pair) for pair in pairs if len(pair) == 2))


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


GRAPHS = {
    "none": Diagram(()),
    "one": make_graph("a"),
    "itself": make_graph("aa"),
    "chain": make_graph("ab", "bc", "cd", "ad"),
    "cycle": make_graph("ab", "bc", "ca"),
    "pair": make_graph("ab", "ba"),
    "apart": make_graph("ab", "c", "de"),
    "parts": make_graph("ab", "ac", "ad", "ae", "fg", "hi", "jk", "lm", "no", "po", "q"),
    "500": build_diagram(make_schema(500), Difference()),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_no_tables_overlap_and_all_are_within_the_image(graph: Diagram) -> None:
    layout = place(graph)
    assert layout.boxes.keys() == {table.name for table in graph.tables}
    assert not [pair for pair in combinations(layout.boxes.values(), 2) if overlap(*pair)]
    for box in layout.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_each_line_goes_from_its_table_to_the_other_and_crosses_none_between(graph: Diagram) -> None:
    layout = place(graph)
    assert sorted(each.key.name for each in layout.connectors) == sorted(key.name for key in graph.keys)
    for connector in layout.connectors:
        start, end = layout.boxes[connector.key.table], layout.boxes[connector.key.target]
        assert connector.points[0][0] in (start.x, start.x + start.width)
        assert connector.points[0][1] == start.y + (53 if connector.key.columns == ("x",) else 40)
        assert connector.points[-1][0] in (end.x, end.x + end.width)
        for (x, y), (next_x, next_y) in pairwise(connector.points):
            if y == next_y and x != next_x:
                # Half a pixel inside, because lines begin and end at the edges of their tables.
                lane = Box(min(x, next_x) + 0.5, y - 0.5, abs(next_x - x) - 1, 1.0)
                assert not [name for name, box in layout.boxes.items() if overlap(lane, box)]


def test_a_table_is_to_the_right_of_those_that_it_refers_to() -> None:
    boxes = place(make_graph("ab", "bc", "ad")).boxes
    assert boxes["a"].x > boxes["b"].x > boxes["c"].x == boxes["d"].x


def test_a_table_to_which_hundreds_refer_does_not_make_the_image_high() -> None:
    names = [f"t{number}" for number in range(300)]
    diagram = Diagram(tuple(map(DrawnTable, ["hub", *names])), tuple(refer(name, "hub") for name in names))
    layout = place(diagram)
    assert layout.height < 2 * layout.width < 8 * layout.height
