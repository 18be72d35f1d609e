"""The overview of all environments as a page: one file that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path

from tasks.runner.errors import RunnerError
from tasks.runner.events import StatusesRead, StatusRow
from tasks.runner.plain.environments import order_rows, write_cell

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1f2328; background: #fff }
table { border-collapse: collapse } th, td { padding: .35rem .8rem; text-align: left; border-bottom: 1px solid #d8dee4 }
th { position: sticky; top: 0; background: #f6f8fa } td:first-child { font-family: ui-monospace, monospace }
.applied { color: #1a7f37 } .pending, .late { color: #9a6700 } .edited, .missing, .interrupted, .failed { color: #cf222e }
.error { color: #cf222e } .none { color: #8c959f }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } th { background: #161b22 }
  th, td { border-color: #30363d } }
"""


def write_page(overview: StatusesRead, path: Path, *, now: datetime | None = None) -> None:
    """Write the page; raises RunnerError where the file cannot be written."""
    try:
        path.write_text(render_page(overview, now or datetime.now(UTC)), encoding="utf-8")
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", hint="Name another file with --html.") from error


def render_page(overview: StatusesRead, now: datetime) -> str:
    """Write the page's text. Pure."""
    heads = "".join(f"<th>{escape(column.environment)}</th>" for column in overview.environments)
    rows = "\n".join(_render_row(version, cells, overview) for version, cells in order_rows(overview))
    errors = "\n".join(
        f'<p class="error"><b>{escape(column.environment)}</b> was not reached: {escape(column.error)}</p>'
        for column in overview.environments
        if column.error
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Migrations</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        f"<h1>Migrations</h1><p>{now:%Y-%m-%d %H:%M} UTC</p>\n{errors}\n"
        f"<table><thead><tr><th>version</th>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table></html>\n"
    )


def _render_row(version: str, cells: tuple[StatusRow | None, ...], overview: StatusesRead) -> str:
    written = "".join(
        '<td class="none">not reached</td>' if column.error else _render_cell(row)
        for column, row in zip(overview.environments, cells, strict=True)
    )
    return f"<tr><td>{escape(version)}</td>{written}</tr>"


def _render_cell(row: StatusRow | None) -> str:
    if row is None:
        return '<td class="none">-</td>'
    kind = "failed" if row.failed else row.state
    title = "; ".join(part for part in (row.applied_at, row.applied_by and f"by {row.applied_by}", row.note) if part)
    return f'<td class="{escape(kind)}" title="{escape(title)}">{escape(write_cell(row))}</td>'
