"""The messages of db.compat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

from tasks.compat.events import CompatChecked, CompatStarted, QueryBroken, QueryChanged
from tasks.console.cells import clean, first_line
from tasks.console.formatters import format_error, register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, format_duration, format_place, hang
from tasks.report.annotations import Annotation, find_file
from tasks.runner.events import Event

_MAJOR = 10000
_LONGEST = 160
"""How much of a query is shown without --verbose."""


def register_messages() -> None:
    """Register the formatters for the events of db.compat."""
    register_formatters(
        {
            CompatStarted: _format_start,
            QueryBroken: _BreakMessages().format,
            QueryChanged: _format_changed,
            CompatChecked: _format_end,
        }
    )


def _format_start(event: CompatStarted, _style: Style) -> list[Line]:
    if not event.migrations:
        return []
    what = f"{count_queries(event.queries)} of {clean(event.source)}"
    files = f"{count(event.migrations, 'migration')} ({clean(event.reason)})"
    return [
        Line(f"Preparing {what} before and after {files} on a scratch PostgreSQL {event.server_version // _MAJOR} server", "dim")
    ]


class _BreakMessages:
    """The messages for queries that break; a statement that breaks several is shown once."""

    def __init__(self) -> None:
        self._last: tuple[str, int, str, str] | None = None

    def format(self, event: QueryBroken, style: Style) -> list[Line]:
        """Return the lines of one query, below those of the one before that breaks for the same reason."""
        reason = (event.version, event.line, event.message, event.proposal)
        known, self._last = self._last == reason, reason
        query = hang(f"{INDENT}breaks ", _describe_query(event, verbose=style.verbose))
        if known:
            return query
        role: Role = "dim" if event.after_deploy else "bad"
        sign = "⏭️ " if event.after_deploy else "❌"
        message = f"{event.message} ({event.sqlstate})" if event.sqlstate else event.message
        lines = hang(f"{sign} {format_place(event.version, event.line)}: ", message, role)
        if event.statement:
            lines.append(Line(f"{INDENT}{first_line(event.statement)}", "code"))
        if event.after_deploy:
            next_step = [Line(f"{INDENT}Expected: this file runs after the deployment, when the old code is gone.", "dim")]
        else:
            next_step = hang(f"{INDENT}Next:  ", event.proposal)
        return [*lines, *next_step, *query]


def _format_changed(event: QueryChanged, style: Style) -> list[Line]:
    what = "; ".join(event.changes)
    lines = hang(f"⚠️  {format_place(event.version, 0)}: ", what, "warn")
    return [*lines, *hang(f"{INDENT}for ", _describe_query(event, verbose=style.verbose))]


def _describe_query(event: QueryBroken | QueryChanged, *, verbose: bool) -> str:
    text = event.query if verbose else shorten(" ".join(event.query.split()), _LONGEST, placeholder=" …")
    return f"{event.place}: {text}" if event.place else f"{text} ({_describe_calls(event)})"


def _describe_calls(event: QueryBroken | QueryChanged) -> str:
    rate = event.calls_per_hour
    if rate is None:
        return count(event.calls, "call")
    return f"{rate:,.0f} calls per hour" if rate >= 1 else f"{count(event.calls, 'call')}, less than 1 per hour"


def count_queries(number: int) -> str:
    """Return a number of queries in words."""
    return "1 query" if number == 1 else f"{number:,} queries"


def _format_end(event: CompatChecked, style: Style) -> list[Line]:
    lines: list[Line] = []
    for left in event.left_out:
        lines += hang(f"{INDENT}left out: ", f"{count(left.count, 'statement')} {left.reason}", "dim")
    for text in event.not_known:
        lines += hang("⚠️  not known: ", text, "warn")
    for text in event.unchecked:
        lines += hang("⚠️  not rehearsed: ", text, "warn")
    if event.failed is not None:
        lines.append(Line(f"❌ {clean(event.failed_version)} fails on scratch; the files after it were not checked", "bad"))
        lines += [Line(INDENT + line.text, line.role) for line in format_error(event.failed, style)]
    return [*lines, _summarize(event)]


def _summarize(event: CompatChecked) -> Line:
    time = format_duration(event.duration_ms)
    checked = count_queries(event.queries)
    if event.broken:
        verb = "break" if event.broken > 1 else "breaks"
        return Line(f"❌ {event.broken:,} of {checked} {verb} ({time})", "bad")
    if event.failed is not None:
        return Line(f"❌ {checked} prepared, but not after every migration ({time})", "bad")
    if not event.migrations:
        return Line(f"✅ Nothing to check: no migration is pending ({time})", "good")
    if not event.queries:
        return Line(f"⚠️  No query was checked ({time})", "warn")
    expected = f"; {event.expected:,} only in files that run after the deployment" if event.expected else ""
    return Line(f"✅ {checked} can be prepared before and after the migrations{expected} ({time})", "good")


def annotate(event: Event, folder: Path) -> Iterator[Annotation]:
    """Yield an annotation for a query that breaks, at the statement that breaks it."""
    if isinstance(event, QueryBroken) and not event.after_deploy:
        message = f"{event.message} ({event.sqlstate})\n{event.query}\n{event.proposal}"
        yield Annotation("error", "db.compat", message, find_file(folder, event.version), event.line)
