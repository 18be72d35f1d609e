"""The messages of db.lint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.console.cells import clean, clean_lines
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, format_duration, hang
from tasks.lint.events import LintFinished, LintFound, LintKept, LintRewritten, LintStarted
from tasks.report.annotations import Annotation, find_file

_MAJOR = 10000


def register_messages() -> None:
    """Register the formatters for the events of db.lint."""
    register_formatters(
        {
            LintStarted: _format_start,
            LintFound: _format_finding,
            LintFinished: _format_end,
            LintRewritten: _format_rewritten,
            LintKept: _format_kept,
        }
    )


def _format_start(event: LintStarted, _style: Style) -> list[Line]:
    major = f" for PostgreSQL {event.server_version // _MAJOR}" if event.server_version else ""
    sizes = f", with the sizes of the tables in {clean(event.environment)}" if event.sizes else ""
    what = f"Checking {event.count} of {count(event.total, 'migration')} ({clean(event.reason)})"
    return [Line(f"{what}{major}{sizes}", "dim")]


def _format_finding(event: LintFound, _style: Style) -> list[Line]:
    # One line, whatever its width: editors and scripts read FILE:LINE at its beginning.
    lines = [Line(f"{clean(event.file)}:{event.line}: {clean(event.rule)}: {clean(event.message)}", "bad")]
    if event.safe:
        lines.append(Line(f"{INDENT}Write this instead, as {count(len(event.safe), 'migration')}:", "dim"))
    for file in event.safe:
        lines.append(Line(f"{INDENT}-- up: {clean(file.description)}", "head"))
        lines += _format_sql(file.up)
        lines.append(Line(f"{INDENT}-- down: {clean(file.description)}", "head"))
        lines += _format_sql(file.down)
    return lines


def _format_sql(text: str) -> Iterator[Line]:
    for line in clean_lines(text.rstrip("\n")):
        yield Line(f"{INDENT}{line}".rstrip(), "sql")


def _format_end(event: LintFinished, _style: Style) -> list[Line]:
    time = format_duration(event.duration_ms)
    lines = [line for each in event.not_checked for line in hang("not checked: ", each, "warn")]
    if event.ignored:
        lines.append(Line(f"{count(event.ignored, 'finding')} ignored by comments", "dim"))
    if event.found:
        return [*lines, Line(f"❌ {count(event.found, 'finding')} in {count(event.count, 'migration')} ({time})", "bad")]
    if not event.count:
        return [*lines, Line("✅ Nothing to check: no migration is pending", "good")]
    return [*lines, Line(f"✅ No findings in {count(event.count, 'migration')} ({time})", "good")]


def _format_rewritten(event: LintRewritten, _style: Style) -> list[Line]:
    lines = [Line(f"✅ {clean(event.file)} is now {count(len(event.written), 'migration')}:", "good")]
    return [*lines, *(Line(f"{INDENT}{clean(version)}") for version in event.written)]


def _format_kept(event: LintKept, _style: Style) -> list[Line]:
    return [Line(f"{clean(event.file)} is kept as it is: {clean(event.reason)}", "warn")]


def annotate(event: LintFound, folder: Path) -> Annotation:
    """Return the annotation for a finding, at its line."""
    return Annotation("error", f"db.lint: {event.rule}", event.message, find_file(folder, event.version), event.line)
