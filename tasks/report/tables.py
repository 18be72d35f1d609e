"""Status and history as tables of rich that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.console.cells import width
from tasks.console.tables import (
    HISTORY_COLUMNS,
    STATUS_COLUMNS,
    describe_history_row,
    describe_status_row,
    format_history_row,
    format_log_error,
    format_status_row,
)
from tasks.report.grid import GAP, Grid, GridColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.console.lines import Style
    from tasks.runner.events import HistoryRead, StatusRead

STYLES = {
    "applied": "green",
    "finished": "green",
    "pending": "yellow",
    "resumed": "yellow",
    "started": "yellow",
    "late": "magenta",
    "edited": "red",
    "missing": "red",
    "interrupted": "bold red",
    "failed": "red",
    "rollback failed": "red",
}
"""The colour of each state and outcome."""

_LEADING = frozenset({"state", "outcome", "version"})
"""The columns that every table has."""
_ERROR_CELLS = 48


def tabulate_status(event: StatusRead, cells: int) -> Grid:
    """Return the table of every version's state."""
    rows = [format_status_row(row) for row in event.rows]
    details = [describe_status_row(row) for row in event.rows]
    return _tabulate(STATUS_COLUMNS, rows, details, [[] for _ in rows], cells)


def tabulate_history(event: HistoryRead, cells: int, style: Style) -> Grid:
    """Return the table of the log, each error below its version."""
    rows = [format_history_row(row) for row in event.rows]
    details = [describe_history_row(row) for row in event.rows]
    return _tabulate(HISTORY_COLUMNS, rows, details, [format_log_error(row, style) for row in event.rows], cells)


def _tabulate(
    names: Sequence[str], rows: Sequence[Sequence[str]], details: Sequence[str], errors: Sequence[Sequence[str]], cells: int
) -> Grid:
    """Return a table of the columns that have content; where they do not fit, `details` are a line below each version."""
    room = min(max((width(line) for lines in errors for line in lines), default=0), _ERROR_CELLS)
    needs = {
        name: max(width(name), room if name == "version" else 0, *(width(row[index]) for row in rows))
        for index, name in enumerate(names)
        if name in _LEADING or any(row[index] for row in rows)
    }
    fits = sum(needs.values()) + GAP * (len(needs) - 1) <= cells
    if not fits:
        needs = {name: need for name, need in needs.items() if name in _LEADING}
        longest = max(needs["version"], *(width(line) for lines in (details, *errors) for line in lines))
        needs["version"] = min(longest, max(cells - sum(needs.values()) - GAP + needs["version"], 1))
    columns = [GridColumn(name, need, right=name == "took") for name, need in needs.items()]
    drawn = []
    for row, detail, lines in zip(rows, details, errors, strict=True):
        written = {name: [(text, _choose_style(name, text))] for name, text in zip(names, row, strict=True)}
        below = [*([(detail, "dim")] if detail and not fits else []), *((line, "red") for line in lines)]
        written["version"] = [*(written["version"] if any(written["version"][0]) or not below else []), *below]
        drawn.append([written[column.name] for column in columns])
    return Grid(columns, drawn)


def _choose_style(name: str, text: str) -> str:
    return STYLES.get(text, "") if name in {"state", "outcome"} else "" if name == "version" else "dim"
