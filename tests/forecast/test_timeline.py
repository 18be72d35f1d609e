"""When which table is locked: spans, lanes and groups of relations."""

from tasks.forecast.events import StatementForecast
from tasks.forecast.grouping import RelationGroup, group_relations
from tasks.forecast.timeline import list_cells, make_timeline
from tests.report.forecasts import EVERYTHING, WRITES, make_statement

V, W = "20250101000000_v", "20250102000000_w"


def show(*statements: StatementForecast, parents: dict[str, str] | None = None) -> dict[str, str]:
    """Return the cells of each lane by its first relation, with a letter for each column."""
    timeline = make_timeline(statements, parents or {})
    letters = {frozenset[str](): ".", frozenset(WRITES): "W", frozenset(EVERYTHING): "R", frozenset({"ddl"}): "D"}
    return {
        lane.group.relations[0]: "".join(letters[cell] for cell in list_cells(lane, len(timeline.columns)))
        for lane in timeline.lanes
    }


def test_a_lock_spans_the_statements_up_to_the_one_at_whose_end_it_is_released() -> None:
    first = make_statement(V, 1, "", "brief", {"a": WRITES}, held_to=3)
    second = make_statement(V, 2, "", "brief", {"b": EVERYTHING}, held_to=3)
    third = make_statement(V, 3, "", "brief", {"a": EVERYTHING})
    fourth = make_statement(V, 4, "", "brief", {"b": WRITES}, transactional=False, held_to=4)
    assert show(fourth, second, first, third) == {"b": ".RRW", "a": "WWR."}


def test_statements_on_one_line_are_told_apart_by_their_numbers() -> None:
    first = make_statement(V, 1, "", "brief", {"a": WRITES}, number=1, transactional=False)
    second = make_statement(V, 1, "", "brief", {"b": WRITES}, number=2)
    third = make_statement(V, 1, "", "brief", {"c": WRITES}, number=3)
    assert show(first, second, third) == {"b": ".WW", "a": "W..", "c": "..W"}


def test_files_that_keep_nothing_out_are_left_out() -> None:
    assert show(make_statement(V, 1, "", "harmless", {}), make_statement(W, 1, "", "brief", {"a": WRITES})) == {"a": "W"}


def test_what_keeps_reads_out_is_above_what_keeps_writes_out() -> None:
    statement = make_statement(V, 1, "", "brief", {"a": ("ddl",), "b": WRITES, "c": EVERYTHING})
    assert list(show(statement)) == ["c", "b", "a"]


def test_partitions_with_equal_spans_are_one_lane_and_others_are_not() -> None:
    parents = {f"p_{letter}": "p" for letter in "abcdef"}
    together = dict.fromkeys(list(parents)[:5], EVERYTHING)
    statement = make_statement(V, 1, "", "brief", {"p": EVERYTHING, **together, "p_f": WRITES})
    assert show(statement, parents=parents) == {"p": "R", "p_a": "R", "p_f": "W"}


def test_relations_are_grouped_as_partitions_or_by_names_that_differ_in_numbers() -> None:
    logs = [f"log_{year}_{month}" for year in (2024, 2025) for month in (1, 2)]
    parents = {f"p{letter}": "p" for letter in "abcd"}
    assert group_relations(["users", *logs, *parents, "t1", "t2"], parents) == (
        RelationGroup(("users",)),
        RelationGroup(tuple(logs)),
        RelationGroup(tuple(parents), "p"),
        RelationGroup(("t1",)),
        RelationGroup(("t2",)),
    )
