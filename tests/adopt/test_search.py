"""The search for the migrations that a database has."""

import pytest

from tasks.adopt.search import Edge, Graph, Node, solve


def build_graph(*, cut: bool) -> Graph:
    """Return a search in which one migration was applied on every path that was followed; with `cut`, some were left out."""
    empty, applied = Node({}, 0, ()), Node({}, 1, (0,))
    return Graph([{0: empty}, {1: applied}], [[Edge(0, 1, applied=True)]], cut=[empty] if cut else [])


@pytest.mark.parametrize(
    ("cut", "forced", "choices"),
    [
        (False, {}, {True}),
        (True, {}, {True, False}),
        (True, {0: True}, {True}),
    ],
    ids=["complete", "cut short", "cut short, but assumed"],
)
def test_a_search_that_was_cut_short_decides_nothing(cut: bool, forced: dict[int, bool], choices: set[bool]) -> None:
    solution = solve(build_graph(cut=cut), forced)
    assert solution is not None
    assert solution.choices == (frozenset(choices),)
