"""The live view at the bottom of a terminal during a run."""

import io
import re
from dataclasses import replace
from functools import reduce

import pytest
from rich.console import Console, Group

from tasks.console.cells import width
from tasks.console.lines import Line
from tasks.forecast.events import FileObserved
from tasks.report.live import LiveView, advance, draw
from tasks.report.wrapping import wrap_line
from tasks.runner.events import (
    ErrorRaised,
    Event,
    IndexAdvanced,
    LockAwaited,
    RepairProposed,
    Retried,
    RunFinished,
    StatementFinished,
    StatementStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    Waiting,
)
from tests.report.samples import PSQL, SEARCH, sample

STEP = StepStarted("migrate", SEARCH, 2, 3, 4)
STATEMENT = StatementStarted(SEARCH, 9, "CREATE INDEX\n  ON chunks", 3, 4)
INDEX = IndexAdvanced(SEARCH, 9, "building index: scanning table", 43)
WAITING = Waiting(SEARCH, 9, 4.0, (PSQL,))
PSQL_DESCRIPTION = "pid 123 (gaia, psql, from 10.0.0.7, idle in transaction since 2025-11-22 12:01:02 UTC): LOCK TABLE users"


def _console(columns: int) -> Console:
    return Console(file=io.StringIO(), width=columns, color_system=None, highlight=False, markup=False)


def _draw(events: list[Event], now: float = 0, columns: int = 140) -> list[str]:
    """Return the live view after events at second 0, with the progress bar as one character."""
    view = reduce(lambda view, event: advance(view, event, 0) or LiveView(), events, LiveView())
    console = _console(columns)
    with console.capture() as capture:
        console.print(draw(view, now, console))
    return [re.sub(r"[━╸╺]+", "━", re.sub(r" +", " ", line)).strip() for line in capture.get().splitlines()]


BAR, LINE = f"━ 2/3 {SEARCH} 0.0 s", "line 9: CREATE INDEX 0.0 s"
INDEX_LINE, WAIT_LINE = "🔨 index build: scanning table, 43 %", f"⏳ has waited 4 s for {PSQL_DESCRIPTION}"


@pytest.mark.parametrize(
    ("events", "drawn"),
    [
        ([], []),
        ([STEP], [BAR]),
        ([STEP, STATEMENT], [BAR, LINE]),
        ([STEP, STATEMENT, INDEX], [BAR, LINE, INDEX_LINE]),
        ([STEP, STATEMENT, INDEX, WAITING], [BAR, LINE, INDEX_LINE, WAIT_LINE]),
        ([STEP, STATEMENT, INDEX, WAITING, INDEX], [BAR, LINE, INDEX_LINE]),
        ([STEP, STATEMENT, WAITING], [BAR, LINE, WAIT_LINE]),
        ([STEP, STATEMENT, WAITING, replace(WAITING, blockers=())], [BAR, LINE]),
        ([STEP, STATEMENT, WAITING, sample(Retried)], [BAR, LINE]),
        ([STEP, STATEMENT, WAITING, STATEMENT], [BAR, LINE]),
        ([STEP, STATEMENT, INDEX, sample(StatementFinished)], [BAR, LINE]),
        ([STEP, STATEMENT, INDEX, STEP], [BAR]),
        ([STEP, STATEMENT, INDEX, sample(StepFinished)], []),
        ([LockAwaited(None, 4.0)], ["⏳ Another run has the lock; waiting for 4 s"]),
        ([LockAwaited(None, 4.0), STEP], [BAR]),
    ],
)
def test_the_running_statement_and_its_blockers_are_drawn(events: list[Event], drawn: list[str]) -> None:
    assert _draw(events) == drawn


@pytest.mark.parametrize("kind", [StepFailed, RunFinished, ErrorRaised, RepairProposed])
def test_nothing_is_drawn_if_nothing_is_running(kind: type[Event]) -> None:
    assert advance(LiveView(step=STEP), sample(kind), 0) is None


@pytest.mark.parametrize(("now", "time"), [(0.25, "0.2 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7_265, "2 h 1 min")])
def test_the_elapsed_time_is_updated(now: float, time: str) -> None:
    assert [line[-len(time) - 1 :] for line in _draw([STEP, STATEMENT], now)] == [f" {time}", f" {time}"]


def test_at_most_three_blockers_are_listed() -> None:
    waiting = replace(WAITING, blockers=tuple(replace(PSQL, pid=number) for number in range(5)))
    lines = _draw([STEP, STATEMENT, waiting])
    assert [re.findall(r"pid \d", line) for line in lines[2:5]] == [["pid 0"], ["pid 1"], ["pid 2"]]
    assert lines[5] == "and 2 more sessions"


def test_the_bar_counts_the_statements_of_the_running_step() -> None:
    console = _console(120)

    def measure(number: int) -> int:
        view = LiveView(step=STEP, statement=replace(STATEMENT, number=number))
        with console.capture() as capture:
            console.print(draw(view, 0, console))
        return len(re.findall("━", capture.get()))

    assert measure(1) < measure(3) < measure(4)


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_on_a_narrow_terminal_the_blocker_is_described_completely(columns: int) -> None:
    lines = _draw([STEP, STATEMENT, INDEX, WAITING], columns=columns)
    assert PSQL_DESCRIPTION in " ".join(lines)
    assert max(map(width, lines)) <= columns


@pytest.mark.parametrize(
    ("line", "wrapped"),
    [
        (Line("❌ one two three four five six seven"), ["❌ one two three four five", "   six seven"]),
        (Line("   State: one two three four five six"), ["   State: one two three four", "          five six"]),
        (Line("     one two three four five six seven"), ["     one two three four five six", "     seven"]),
        (Line("   one-word-that-fits-in-no-line-of-32"), ["   one-word-that-fits-in-no-line", "   -of-32"]),
        (Line("    3 | SELECT 'this is too long' AS a", "code"), ["    3 | SELECT 'this is too lon…"]),
        (Line("short"), ["short"]),
    ],
)
def test_a_long_line_is_wrapped_with_indentation(line: Line, wrapped: list[str]) -> None:
    console = _console(32)
    with console.capture() as capture:
        console.print(Group(wrap_line(line, console)))
    assert [each.rstrip() for each in capture.get().splitlines()] == wrapped


def test_the_file_that_is_observed_is_shown_until_the_forecast_is_printed() -> None:
    view = advance(LiveView(), FileObserved(SEARCH, 2, 3), 0.0)
    assert view is not None
    console = _console(80)
    console.print(draw(view, 1.5, console))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().split() == ["2/3", "Observing", SEARCH, "1.5", "s"]
    assert advance(view, sample(RunFinished), 2.0) is None
