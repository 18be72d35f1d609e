"""Several environments side by side as a table, or as a paragraph for each version if the terminal is too narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tasks.console.cells import clean, width
from tasks.console.environments import DAY, ENVIRONMENT_COLUMNS, MINUTE, format_cell, format_environment_row, order_rows
from tasks.console.lines import INDENT
from tasks.report.grid import GAP, Grid, GridColumn, Styled
from tasks.report.tables import STYLES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tasks.console.environments import Cell
    from tasks.runner.events import EnvironmentsListed, StatusesRead

_STYLES = {**STYLES, "unreached": "red", "none": "dim"}
_COLUMN_STYLES = {"environment": "bold", "guarded": "yellow", "alerts": "dim"}
_LEAST_VERSION = 24
"""The minimum width of the version column, below which a folded version is unreadable."""


def show_statuses(event: StatusesRead, cells: int) -> RenderableType:
    """Return a table with a row for each version and a column for each environment, as wide as the terminal allows."""
    rows = order_rows(event)
    heads = [clean(column.environment) for column in event.environments]
    longest = max((width(clean(version)) for version, _ in rows), default=0)
    for length, least in ((MINUTE, longest), (DAY, longest), (DAY, min(longest, _LEAST_VERSION))):
        columns = [
            GridColumn(head, max(width(head), *(width(format_cell(row[index], length)) for _, row in rows)))
            for index, head in enumerate(heads)
        ]
        room = cells - sum(column.cells + GAP for column in columns)
        if least <= room:
            drawn = [[[(clean(version), "")], *([_style_cell(cell, length)] for cell in row)] for version, row in rows]
            return Grid([GridColumn("version", max(min(longest, room), width("version"))), *columns], drawn)
    return Group(*(part for version, row in rows for part in _tell_version(version, row, heads)))


def tabulate_environments(event: EnvironmentsListed) -> Table:
    """Return the table of environments and their settings."""
    rows = [format_environment_row(known) for known in event.environments]
    table = _make_table()
    shown = [index for index, _ in enumerate(ENVIRONMENT_COLUMNS) if any(row[index] for row in rows)]
    for index in shown:
        name = ENVIRONMENT_COLUMNS[index]
        table.add_column(name, overflow="fold", no_wrap=name != "reached", style=_COLUMN_STYLES.get(name, ""))
    for row in rows:
        table.add_row(*(Text(row[index]) for index in shown))
    return table


def _make_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))


def _tell_version(version: str, row: tuple[Cell, ...], heads: list[str]) -> tuple[Text, Padding]:
    written = [Text.assemble(f"{head} ", Text(*_style_cell(cell, DAY))) for head, cell in zip(heads, row, strict=True)]
    return Text(clean(version), style="bold"), Padding(Text(", ").join(written), (0, 0, 0, len(INDENT)))


def _style_cell(cell: Cell, length: int) -> Styled:
    return format_cell(cell, length), _STYLES.get(cell.kind, "")
