"""The formatters of status and history, as aligned text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tasks.console.cells import clean, clean_lines, pad, width
from tasks.console.lines import (
    INDENT,
    Line,
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

    from tasks.console.lines import (
        Style,
    )
    from tasks.runner.events import HistoryRead, HistoryRow, StateCount, StatementLocks, StatusRead, StatusRow

STATUS_COLUMNS = ("state", "version", "applied at (UTC)", "took", "by")
HISTORY_COLUMNS = ("at (UTC)", "outcome", "action", "version", "segments", "took", "by", "revision", "run", "note")
STATES = ("applied", "pending", "late", "failed", "edited", "missing", "interrupted")
_GAP = "  "
_REVISION = 10
_RUN_ID = 8


def format_status_row(row: StatusRow) -> tuple[str, ...]:
    """Return the cells of a version's row, in the order of STATUS_COLUMNS."""
    took = "" if row.execution_time_ms is None else format_duration(row.execution_time_ms)
    return (describe_state(row), clean(row.version), format_time(row.applied_at), took, clean(row.applied_by))


def describe_status_row(row: StatusRow) -> str:
    """Return what a row has beside state and version, as one line."""
    _, _, at, took, by = format_status_row(row)
    return ", ".join(filter(None, (at and f"{at} UTC", took, by and f"by {by}")))


def format_notes(rows: Iterable[StatusRow], environment: str = "") -> list[Line]:
    """Return the notes on versions, with their environment if there are several: lines that no table has to leave out."""
    where = f"{clean(environment)}: " if environment else ""
    lines: list[Line] = []
    for row in rows:
        if row.note:
            lines += hang(f"⚠️  {where}{clean(row.version)}: ", row.note, "bad" if row.failed else "warn")
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
        _describe_unkept(row),
    )


def _describe_unkept(row: HistoryRow) -> str:
    """Return which texts the ledger does not store because of the sizes of their files."""
    sizes = {"up": row.up_size, "down": row.down_size}
    named = " and ".join(f"{direction} ({size:,} bytes)" for direction, size in sizes.items() if size is not None)
    return f"text not kept: {named}" if named else ""


def describe_history_row(row: HistoryRow) -> str:
    """Return what a log row has beside outcome, version and error, as one line."""
    at, _, action, _, segments, took, by, revision, run, note = format_history_row(row)
    segments = f"segments {segments}" if row.segments_total > 1 else ""
    facts = (action, f"{at} UTC", segments, took, by and f"by {by}")
    return ", ".join(filter(None, (*facts, revision and f"revision {revision}", run and f"run {run}", note)))


def format_log_error(row: HistoryRow, style: Style) -> list[str]:
    """Return the error of a log row: its first line, or all lines if verbose."""
    if not row.error and not row.sqlstate:
        return []
    first, *rest = clean_lines(row.error) or [""]
    head = f"{clean(row.sqlstate)} {first}".strip()
    return [head, *rest] if style.verbose else [head]


def summarize_states(counts: Iterable[StateCount], rows: Iterable[StatusRow]) -> str:
    """Return the number of versions in each state; a tool that is older does not count them, but sends all rows."""
    numbers = {each.state: each.count for each in counts} or Counter(row.state for row in rows)
    return ", ".join(f"{numbers[state]} {state}" for state in STATES if numbers.get(state))


def summarize(event: StatusRead) -> str:
    """Return the number of versions in each state, and how many applied ones a limit leaves out."""
    text = summarize_states(event.counts, event.rows) or "no migrations"
    rest = event.total - len(event.rows)
    return f"{text}; {count(rest, 'applied version')} not shown" if rest > 0 else text


def format_status(event: StatusRead, style: Style) -> list[Line]:
    """Return the lines for the state of every version and for the findings."""
    lines = [Line(f"{format_database(event.environment, event.database)}: {summarize(event)}", "head")]
    if event.rows:
        table = align([STATUS_COLUMNS, *map(format_status_row, event.rows)])
        lines += [Line(""), *map(Line, table)]
    if event.run:
        lines += format_active_run(event.run, event.environment)
    below = [*format_notes(event.rows), *format_findings(event.findings, style)]
    return [*lines, Line(""), *below] if below else lines


def format_history_heading(event: HistoryRead) -> Line:
    """Return the heading of the log, with the number of all rows that there are."""
    shown = len(event.rows)
    rows = f"{shown} of {count(event.total, 'log row')}" if event.total > shown else count(shown, "log row")
    nothing = "the log has no times of locks" if event.locks and not event.unknown else f"the log is {event.unknown or 'empty'}"
    what = f"{rows}, newest first" if shown else nothing
    return Line(f"{format_database(event.environment, event.database)}: {what}", "head")


_VERDICTS = {"blocks_all": "blocks everything"}
"""The verdicts whose words differ from their names."""
_LOCK_COLUMNS = ("line", "attempt", "waited", "held", "forecast", "error")


def format_lock_times(event: HistoryRead) -> list[Line]:
    """Return the lines for how long statements waited for locks and had them: a table for each row of the log."""
    lines = [format_history_heading(event)]
    for row in event.rows:
        lines += [Line(""), Line(f"{clean(row.version)}: {clean(row.outcome)}, {describe_history_row(row)}")]
        lines += map(Line, align([_LOCK_COLUMNS, *map(_format_statement_locks, row.locks)]) if row.locks else ())
    return lines


def _format_statement_locks(locks: StatementLocks) -> tuple[str, ...]:
    held = "" if locks.held_ms is None else format_duration(locks.held_ms)
    spread = "" if locks.low is None or locks.high is None else f" {locks.low:.3g} to {locks.high:.3g} s"
    forecast = f"{_VERDICTS.get(locks.verdict) or clean(locks.verdict).replace('_', ' ')}{spread}"
    return str(locks.line), str(locks.attempt), format_duration(locks.waited_ms), held, forecast, clean(locks.sqlstate)


def format_history(event: HistoryRead, style: Style) -> list[Line]:
    """Return the lines for the log, each failure with its error below it."""
    if event.locks:
        return format_lock_times(event)
    lines = [format_history_heading(event)]
    if not event.rows:
        return lines
    lines.append(Line(""))
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
