"""The report on a terminal: permanent lines in colour, and below them, live, what runs now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live

from tasks.console.environments import format_below, format_heading
from tasks.console.formatters import format_error
from tasks.console.lines import Line, Style, format_active_run, format_database
from tasks.console.plans import format_findings
from tasks.console.printer import Announcement
from tasks.console.tables import format_history_heading, format_notes, summarize
from tasks.forecast.events import FileObserved
from tasks.report.live import LiveView, advance, draw
from tasks.report.overview import show_statuses, tabulate_environments
from tasks.report.tables import tabulate_history, tabulate_status
from tasks.report.wrapping import wrap_lines
from tasks.runner import events

if TYPE_CHECKING:
    from types import TracebackType

_REFRESHES = 8
_STARTS = (FileObserved, events.LockAwaited, events.StepStarted, events.Waiting)


class TerminalReport:
    """Print events on a terminal. Use it as a context manager, which restores the terminal."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, joined: bool = False) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._verbose = verbose
        self._what = "migration"
        self._announcement = Announcement(joined=joined)
        self._view: LiveView | None = None
        self._live: Live | None = None

    def __enter__(self) -> TerminalReport:
        """Return the report; nothing is drawn before a step starts."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Erase the live view and show the cursor again."""
        self._stop()

    def write(self, event: events.Event) -> None:
        """Print the permanent lines of an event, and update the live view."""
        if isinstance(event, events.FilesFound):
            self._what = event.what
        view = advance(self._view or LiveView(), event, time.monotonic())
        if view is None:
            self._stop()
        elif self._live or isinstance(event, _STARTS):
            self._view = view
        self._print(event)
        if self._view and not self._live:
            self._start()

    def write_error(self, event: events.ErrorRaised, announced: events.Event | None) -> None:
        """Print an error that ended the events after `announced`, if that was printed to the same terminal."""
        style = Style(width=self._console.width)
        self._print_lines(format_error(event, style, announced=announced, printed=isinstance(announced, events.PlanMade)))

    def _start(self) -> None:
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=_REFRESHES, transient=True)
        self._live.start()

    def _draw(self) -> Group:
        return draw(self._view or LiveView(), time.monotonic(), self._console)

    def _stop(self) -> None:
        live, self._live, self._view = self._live, None, None
        if live:
            live.stop()

    def _print(self, event: events.Event) -> None:
        style = Style(verbose=self._verbose, width=self._console.width, what=self._what)
        match event:
            case events.LockAwaited() | events.Waiting() | events.IndexAdvanced():
                return
            case events.StatusRead():
                self._print_status(event, style)
            case events.HistoryRead() if event.rows and not event.locks:
                self._print_lines([format_history_heading(event)])
                self._console.print(Group("", tabulate_history(event, self._console.width, style)))
            case events.StatusesRead():
                self._print_statuses(event)
            case events.EnvironmentsListed():
                self._console.print(tabulate_environments(event))
            case _:
                self._print_lines(self._announcement.format(event, style))

    def _print_status(self, event: events.StatusRead, style: Style) -> None:
        heading = f"{format_database(event.environment, event.database)}: {summarize(event)}"
        self._print_lines([Line(heading, "head")])
        if event.run:
            self._print_lines(format_active_run(event.run, event.environment))
        if event.rows:
            self._console.print(Group("", tabulate_status(event, self._console.width), ""))
        self._print_lines([*format_notes(event.rows), *format_findings(event.findings, style)])

    def _print_statuses(self, event: events.StatusesRead) -> None:
        self._print_lines(format_heading(event))
        if any(column.rows for column in event.environments):
            self._console.print(Group("", show_statuses(event, self._console.width), ""))
        self._print_lines(format_below(event))

    def _print_lines(self, lines: list[Line]) -> None:
        if lines:
            self._console.print(Group(*wrap_lines(lines, self._console)))
