"""Status and history as tables of rich that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tasks.console.cells import width
from tasks.console.tables import (
    HISTORY_COLUMNS,
    STATUS_COLUMNS,
    format_history_row,
    format_log_error,
    format_status_row,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

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

# Least important first; columns that are not named here are always shown.
_STATUS_OPTIONAL = ("by", "took", "applied at (UTC)")
_HISTORY_OPTIONAL = ("run", "revision", "segments", "by", "took", "at (UTC)", "action")
_GAP = 2
_ERROR_CELLS = 48


def tabulate_status(event: StatusRead, cells: int) -> RenderableType:
    """Return the table of every version's state, and below it the names of the columns that do not fit."""
    rows = [format_status_row(row) for row in event.rows]
    columns = choose_columns(STATUS_COLUMNS, rows, cells, _STATUS_OPTIONAL)
    table = _make_table(STATUS_COLUMNS, columns)
    for row in rows:
        table.add_row(*(_write_cell(STATUS_COLUMNS[column], row[column]) for column in columns))
    return _add_hidden(table, STATUS_COLUMNS, rows, columns)


def tabulate_history(event: HistoryRead, cells: int, style: Style) -> RenderableType:
    """Return the table of the log, each error below its version, and below it the names of the columns that do not fit."""
    rows = [format_history_row(row) for row in event.rows]
    errors = [format_log_error(row, style) for row in event.rows]
    room = min(max((width(line) for lines in errors for line in lines), default=0), _ERROR_CELLS)
    columns = choose_columns(HISTORY_COLUMNS, rows, cells, _HISTORY_OPTIONAL, {"version": room})
    table = _make_table(HISTORY_COLUMNS, columns)
    version = HISTORY_COLUMNS.index("version")
    for row, lines in zip(rows, errors, strict=True):
        written = {column: _write_cell(HISTORY_COLUMNS[column], row[column]) for column in columns}
        for line in lines:
            written[version].append(f"\n{line}", style="red")
        table.add_row(*written.values())
    return _add_hidden(table, HISTORY_COLUMNS, rows, columns)


def choose_columns(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    cells: int,
    optional: Sequence[str],
    least: Mapping[str, int] | None = None,
) -> list[int]:
    """Return the columns that are not empty and fit side by side, leaving out the least important first.

    `least` is the minimum width of a column in cells, whatever its content.
    """
    needs = {
        index: max(width(name), (least or {}).get(name, 0), *(width(row[index]) for row in rows)) + _GAP
        for index, name in enumerate(names)
        if name not in optional or any(row[index] for row in rows)
    }
    for name in optional:
        if sum(needs.values()) - _GAP <= cells:
            break
        needs.pop(names.index(name), None)
    return list(needs)


def _add_hidden(table: Table, names: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int]) -> RenderableType:
    """Return a table, and below it the names of the columns that were left out although they have content."""
    hidden = [name for index, name in enumerate(names) if index not in columns and any(row[index] for row in rows)]
    if not hidden:
        return table
    return Group(table, "", Text(f"Not shown, because the terminal is too narrow: {', '.join(hidden)}", style="dim"))


def _make_table(names: Sequence[str], columns: Sequence[int]) -> Table:
    padding = (0, _GAP - 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False, padding=padding)
    for column in columns:
        name = names[column]
        is_long = name == "version"
        table.add_column(
            name,
            no_wrap=not is_long,
            overflow="fold" if is_long else "ellipsis",
            justify="right" if name == "took" else "left",
        )
    return table


def _write_cell(name: str, text: str) -> Text:
    style = STYLES.get(text, "") if name in {"state", "outcome"} else "" if name == "version" else "dim"
    return Text(text, style=style)
