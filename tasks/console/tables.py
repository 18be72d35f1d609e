"""The formatters of status and history, as aligned text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tasks.console.cells import clean, clean_lines, cut, pad, width
from tasks.console.lines import (
    INDENT,
    Line,
    Style,
    count,
    describe_state,
    format_active_run,
    format_database,
    format_duration,
    format_time,
    hang,
)
from tasks.console.plans import format_findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tasks.runner.events import HistoryRead, HistoryRow, StatusRead, StatusRow

STATUS_COLUMNS = ("state", "version", "applied at (UTC)", "took", "by")
HISTORY_COLUMNS = ("at (UTC)", "outcome", "action", "version", "segments", "took", "by", "revision", "run")
STATES = ("applied", "pending", "late", "failed", "edited", "missing", "interrupted")
_GAP = "  "
_REVISION = 10
_RUN_ID = 8
_ERROR_CELLS = 160


def format_status_row(row: StatusRow) -> tuple[str, ...]:
    """Return the cells of a version's row, in the order of STATUS_COLUMNS."""
    took = "" if row.execution_time_ms is None else format_duration(row.execution_time_ms)
    return (describe_state(row), clean(row.version), format_time(row.applied_at), took, clean(row.applied_by))


def format_notes(event: StatusRead) -> list[Line]:
    """Return the notes on the versions: lines of their own, which no table has to leave out."""
    lines: list[Line] = []
    for row in event.rows:
        if row.note:
            lines += hang(f"⚠️  {clean(row.version)}: ", row.note, "bad" if row.failed else "warn")
    return lines


def format_history_row(row: HistoryRow) -> tuple[str, ...]:
    """Return the cells of a log row, in the order of HISTORY_COLUMNS."""
    by = f"{clean(row.actor)}@{clean(row.host)}" if row.host else clean(row.actor)
    revision = clean(row.git_revision)[:_REVISION] + ("+changes" if row.git_dirty else "")
    return (
        format_time(row.at),
        clean(row.outcome),
        clean(row.action),
        clean(row.version),
        f"{row.segments_done}/{row.segments_total}" if row.segments_total else "",
        "" if row.duration_ms is None else format_duration(row.duration_ms),
        by,
        revision,
        clean(row.run_id)[:_RUN_ID],
    )


def format_log_error(row: HistoryRow, style: Style) -> list[str]:
    """Return the error of a log row: its first line, or all lines if verbose."""
    if not row.error and not row.sqlstate:
        return []
    first, *rest = clean_lines(row.error) or [""]
    head = f"{clean(row.sqlstate)} {first}".strip()
    return [head, *rest] if style.verbose else [cut(head, _ERROR_CELLS)]


def summarize(event: StatusRead) -> str:
    """Return the number of shown versions in each state."""
    counts = {count.state: count.count for count in event.counts} or Counter(row.state for row in event.rows)
    known = ", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state))
    text = known or "no migrations"
    rest = event.total - len(event.rows)
    return f"{text}; {count(rest, 'applied version')} not shown" if rest > 0 else text


def format_status(event: StatusRead, style: Style) -> list[Line]:
    """Return the lines for the state of every version and for the findings."""
    lines = [Line(f"{format_database(event.environment, event.database)}: {summarize(event)}", "head")]
    if event.rows:
        table = align([STATUS_COLUMNS, *map(format_status_row, event.rows)])
        lines += [Line(""), *map(Line, table)]
    if event.run:
        lines.append(format_active_run(event.run))
    below = [*format_notes(event), *format_findings(event.findings, style)]
    return [*lines, Line(""), *below] if below else lines


def format_history(event: HistoryRead, style: Style) -> list[Line]:
    """Return the lines for the log, each failure with its error below it."""
    heading = format_database(event.environment, event.database)
    if not event.rows:
        return [Line(f"{heading}: the log is {event.unknown or 'empty'}", "head")]
    lines = [Line(f"{heading}: {count(len(event.rows), 'log row')}, newest first", "head"), Line("")]
    table = align([HISTORY_COLUMNS, *map(format_history_row, event.rows)])
    lines.append(Line(table[0]))
    for row, text in zip(event.rows, table[1:], strict=True):
        lines += [Line(text), *(Line(f"{INDENT}{error}", "bad") for error in format_log_error(row, style))]
    return lines


def align(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of cells as aligned lines, without the columns that have only a heading."""
    head, *body = rows
    columns = [column for column in zip(head, *body, strict=True) if any(column[1:])]
    widths = [max(map(width, column)) for column in columns]
    padded = [[pad(cell, cells) for cell in column] for column, cells in zip(columns, widths, strict=True)]
    return [_GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]
