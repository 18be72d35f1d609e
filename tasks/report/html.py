"""The overview of all environments as an HTML page in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tasks.checkout.writing import write_file
from tasks.console.environments import Cell, format_cell, format_heading, order_rows
from tasks.console.lines import format_time
from tasks.report.escaping import to_html
from tasks.report.timeline.page import TIMELINE_STYLE, render_timeline
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, HistoryRead, StatusesRead

_ADOPTED = "adopted by "
"""How the ledger marks the person who recorded a migration without running it."""
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem }
table { border-collapse: collapse }
th, td { padding: .35rem .8rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap }
thead th { position: sticky; top: 0; background: Canvas }
tbody th { font: 13px ui-monospace, monospace }
.applied { color: light-dark(#1a7f37, #3fb950) }
.pending, .late { color: light-dark(#9a6700, #d29922) }
.edited, .missing, .interrupted, .failed, .unreached { color: light-dark(#cf222e, #f85149) }
.none { color: GrayText }
h2 { font-size: 1.2rem }
"""


def write_page(overview: StatusesRead, path: Path, *, histories: Sequence[HistoryRead] = (), now: datetime | None = None) -> None:
    """Write the page to a file, with a timeline of these logs; raises RunnerError if the file cannot be written."""
    try:
        write_file(path, render_page(overview, now or datetime.now(UTC), histories).encode())
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", hint="Name another file with --html.") from error


def render_page(overview: StatusesRead, now: datetime, histories: Sequence[HistoryRead] = ()) -> str:
    """Return the text of the page."""
    heads = "".join(f'<th scope="col">{to_html(column.environment)}</th>' for column in overview.environments)
    rows = "\n".join(_render_row(version, cells) for version, cells in order_rows(overview))
    errors = "".join(f"{_render_error(column)}\n" for column in overview.environments if column.error)
    errors += "".join(
        f'<p><b class="late">{to_html(column.environment)} has drifted:</b> its schema was changed outside the migrations.</p>\n'
        for column in overview.environments
        if column.drifted
    )
    about = "; ".join(line.text for line in format_heading(overview))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Migrations</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{TIMELINE_STYLE}</style></head><body>\n'
        f"<h1>Migrations</h1>\n<p>{to_html(about)}. Read at {now:%Y-%m-%d %H:%M} UTC.</p>\n{errors}"
        f"{render_timeline(histories)}<h2>Versions</h2>\n"
        f'<table><thead><tr><th scope="col">version</th>{heads}</tr></thead><tbody>\n'
        f"{rows}\n</tbody></table></body></html>\n"
    )


def _render_error(column: EnvironmentStatus) -> str:
    hint = f"<br>{to_html(column.hint)}" if column.hint else ""
    return f'<p><b class="unreached">{to_html(column.environment)} could not be reached:</b> {to_html(column.error)}{hint}</p>'


def _render_row(version: str, cells: tuple[Cell, ...]) -> str:
    return f'<tr><th scope="row">{to_html(version)}</th>{"".join(map(_render_cell, cells))}</tr>'


def _render_cell(cell: Cell) -> str:
    row, title = cell.row, ""
    if row is not None:
        by = row.applied_by if row.applied_by.startswith(_ADOPTED) else f"by {row.applied_by}" if row.applied_by else ""
        title = "; ".join(part for part in (row.state, format_time(row.applied_at), by, row.note) if part)
    return f'<td class="{to_html(cell.kind)}" title="{to_html(title)}">{to_html(format_cell(cell))}</td>'
