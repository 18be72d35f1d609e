"""What is running now, as a value, and how it is drawn in the last lines of a terminal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tasks.console.cells import clean, first_line
from tasks.console.formatters import format_event
from tasks.console.lines import INDENT, Line, Style, count, format_progress, format_seconds, format_session
from tasks.forecast.events import FileObserved
from tasks.report.wrapping import wrap_line
from tasks.runner import events

if TYPE_CHECKING:
    from rich.console import Console

_BAR_SHARE = 4
_BAR_CELLS = 30
_BLOCKERS = 3
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class LiveView:
    """What is running now; times are seconds of a monotonic clock."""

    step: events.StepStarted | None = None
    step_since: float = 0
    statement: events.StatementStarted | None = None
    statement_since: float = 0
    progress: events.IndexAdvanced | None = None
    waiting: events.Waiting | None = None
    lock: events.LockAwaited | None = None
    observed: FileObserved | None = None


def advance(view: LiveView, event: events.Event, now: float) -> LiveView | None:
    """Return the view after an event, None if nothing is running any more."""
    if isinstance(event, FileObserved):
        return LiveView(observed=event, step_since=now)
    return None if view.observed else _advance_run(view, event, now)


def _advance_run(view: LiveView, event: events.Event, now: float) -> LiveView | None:
    following: LiveView | None = view
    match event:
        case events.LockAwaited():
            following = replace(view, lock=event)
        case events.PlanMade():
            following = None if event.purpose else replace(view, lock=None)
        case events.StepStarted():
            following = LiveView(step=event, step_since=now)
        case events.StatementStarted():
            following = replace(view, statement=event, statement_since=now, progress=None, waiting=None)
        case events.StepFinished():
            # What follows the last step, such as writing schema.sql, may take seconds.
            following = LiveView()
        case events.StatementFinished() | events.Retried():
            following = replace(view, progress=None, waiting=None)
        case events.Waiting():
            following = replace(view, waiting=event if event.blockers else None)
        case events.IndexAdvanced():
            following = replace(view, progress=event, waiting=None)
        case events.StepFailed() | events.RunFinished() | events.ErrorRaised() | events.RepairProposed() | events.OutcomeRead():
            following = None
    return following


def draw(view: LiveView, now: float, console: Console) -> Group:
    """Return the progress of the plan, the running statement with its time, and what it waits for."""
    rows: list[Table | Text] = []
    if view.step:
        rows.append(_draw_bar(view, view.step, now, console.width))
    if view.observed:
        text = f"Observing {clean(view.observed.version)}" if view.observed.version else "Measuring durations"
        place = Text(f"{min(view.observed.number, view.observed.count)}/{view.observed.count}", style="dim")
        rows.append(_draw_row(place, Text(text), _write_clock(now - view.step_since)))
    if view.statement:
        seconds = _write_clock(now - view.statement_since)
        label = Text(f"{INDENT}line {view.statement.line}:", style="dim")
        rows.append(_draw_row(label, Text(first_line(view.statement.text)), seconds))
    return Group(*rows, *(wrap_line(line, console) for line in _tell_waits(view)))


def _draw_bar(view: LiveView, step: events.StepStarted, now: float, width: int) -> Table:
    done = view.statement.number - 1 if view.statement else step.done
    part = done / step.statements if step.statements else 0
    bar = ProgressBar(
        total=step.total,
        completed=step.position - 1 + min(part, 1),
        width=min(width // _BAR_SHARE, _BAR_CELLS),
        style="bright_black",
        complete_style="cyan",
        finished_style="cyan",
    )
    place = Text(f"{step.position}/{step.total}")
    return _draw_row(bar, place, Text(clean(step.version), style="bold"), _write_clock(now - view.step_since))


def _draw_row(*cells: ProgressBar | Text) -> Table:
    """Return cells in a row, the last but one as wide as possible."""
    row = Table.grid(padding=(0, 1), expand=True)
    for cell in cells:
        is_wide = cell is cells[-2]
        row.add_column(
            width=cell.width if isinstance(cell, ProgressBar) else None,
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if is_wide else None,
        )
    row.add_row(*cells)
    return row


def _write_clock(seconds: float) -> Text:
    """Return a running time as text of a constant width."""
    return Text(f"{seconds:.1f} s" if seconds < _MINUTE_S else format_seconds(seconds), style="dim")


def _tell_waits(view: LiveView) -> list[Line]:
    lines: list[Line] = []
    if view.progress:
        lines.append(Line(f"{INDENT}🔨 {format_progress(view.progress)}", "dim"))
    if view.waiting:
        blockers = view.waiting.blockers
        head = f"{INDENT}⏳ has waited {format_seconds(view.waiting.seconds_s)} for "
        lines += [Line(head + format_session(blocker), "warn") for blocker in blockers[:_BLOCKERS]]
        if len(blockers) > _BLOCKERS:
            lines.append(Line(f"{INDENT}   and {count(len(blockers) - _BLOCKERS, 'more session')}", "warn"))
    if view.lock:
        lines += format_event(view.lock, Style())
    return lines
