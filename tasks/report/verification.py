"""The messages of db.verify and db.test-crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.console.cells import clean, first_line
from tasks.console.formatters import format_error, register_formatters
from tasks.console.lines import INDENT, Line, Style, count, format_duration, hang
from tasks.forecast.events import ForecastStarted
from tasks.rehearsal.events import (
    CrashResumed,
    CrashTestFinished,
    CrashTestSkipped,
    CrashTestStarted,
    MigrationVerified,
    RehearsalFinding,
    RollbackProved,
    VerifyFinished,
    VerifyStarted,
)
from tasks.report.annotations import Annotation, find_file
from tasks.report.schema_changes import format_change

_MAJOR = 10000
_OF_THE_DOWN_FILE = frozenset({"down_fails", "down_fails_on_rows", "not_restored", "rows_lost"})
"""The findings that are shown at the down file, where it exists."""


def register_messages() -> None:
    """Register the formatters for the events of rehearsals."""
    register_formatters(
        {
            VerifyStarted: _format_verify_start,
            MigrationVerified: _format_verified,
            VerifyFinished: _format_verify_end,
            CrashTestStarted: _format_crash_test_start,
            CrashResumed: _format_resumed,
            CrashTestSkipped: _format_skipped,
            CrashTestFinished: _format_crash_test_end,
            RollbackProved: _format_proof,
        }
    )


def _format_proof(event: RollbackProved, _style: Style) -> list[Line]:
    later = count(len(event.later), "later migration")
    text = f"Proved on scratch: after a rollback of only {clean(event.version)}, {later} and their rows are as without it"
    unchecked = [line for each in event.unchecked for line in hang(f"{INDENT}not checked: ", each, "dim")]
    return [*hang("✅ ", text, "good"), *unchecked]


def _format_verify_start(event: VerifyStarted, _style: Style) -> list[Line]:
    text = f"Verifying {event.count} of {count(event.total, 'migration')} ({clean(event.reason)})"
    lines = [Line(f"{text} on a scratch PostgreSQL {event.server_version // _MAJOR} server", "dim")]
    if event.without:
        lines.append(Line(f"Without {clean(', '.join(event.without))}: statements that need it are not checked", "warn"))
    return [*lines, *warn_of_version(event)]


def warn_of_version(event: VerifyStarted | CrashTestStarted | ForecastStarted) -> list[Line]:
    """Return a warning if the environment's server has another major version than the scratch server: SQL may differ."""
    scratch, theirs = event.server_version // _MAJOR, event.environment_version // _MAJOR
    if not theirs or theirs == scratch:
        return []
    text = (
        f"{clean(event.environment)} runs PostgreSQL {theirs}, the scratch server is PostgreSQL {scratch}: "
        f"set SCRATCH_DATABASE_URL to a server of version {theirs}"
    )
    return hang("⚠️  ", text, "warn")


def _format_verified(event: MigrationVerified, style: Style) -> list[Line]:
    lines: list[Line] = []
    if not any(not found.mild for found in event.findings):
        done = "up, down, up" if event.restores else "up"
        rows = ", with rows" if event.with_data else ""
        when = "verified before, unchanged" if event.reused else format_duration(event.duration_ms)
        lines.append(Line(f"✅ {clean(event.version)}: {done}{rows} ({when})", "good"))
    if event.irreversible and event.works:
        lines += hang(f"{INDENT}irreversible: ", event.irreversible, "dim")
    if event.late == "safe":
        when = "after the deployment, and" if event.deferred else "late, but"
        lines.append(Line(f"{INDENT}{when} safe: the schema is the same as when it runs in order", "dim"))
    lines += _format_findings(event.version, event.findings, style)
    for text in event.unchecked:
        lines += hang(f"{INDENT}not checked: ", text, "warn")
    return lines


def _format_verify_end(event: VerifyFinished, _style: Style) -> list[Line]:
    before = f"{event.reused} of them before, unchanged; " if event.reused else ""
    time = f"{before}{format_duration(event.duration_ms)}"
    if event.found:
        return [Line(f"❌ Problems in {event.found} of {event.count} migrations ({time})", "bad")]
    if not event.count:
        return [Line("✅ Nothing to verify: no migration is pending", "good")]
    return [Line(f"✅ Verified {count(event.count, 'migration')} ({time})", "good")]


def _format_crash_test_start(event: CrashTestStarted, _style: Style) -> list[Line]:
    text = f"Killing runs of {event.count} of {count(event.total, 'migration')} ({clean(event.reason)}) after each statement"
    line = Line(f"{text}, on a scratch PostgreSQL {event.server_version // _MAJOR} server", "dim")
    return [line, *warn_of_version(event)]


def _format_resumed(event: CrashResumed, style: Style) -> list[Line]:
    place = f"{clean(event.version)}: killed after statement {event.number} of {event.total}"
    if event.findings:
        head = [Line(f"{INDENT}line {event.line}: {first_line(event.text)}")]
        return [*_format_findings(place, event.findings, style), *head]
    return [Line(f"✅ {place} (line {event.line}), resumed: same result", "good")]


def _format_skipped(event: CrashTestSkipped, style: Style) -> list[Line]:
    if event.findings:
        return _format_findings(event.version, event.findings, style)
    return hang(f"⏭️  Skipping {clean(event.version)}: ", event.reason, "warn")


def _format_crash_test_end(event: CrashTestFinished, _style: Style) -> list[Line]:
    done = f"{count(event.kills, 'killed run')} of {count(event.count, 'migration')}"
    time = format_duration(event.duration_ms)
    if event.found:
        return [Line(f"❌ {count(event.found, 'problem')} in {done} ({time})", "bad")]
    if not event.count:
        return [Line("✅ Nothing to test: no migration is pending", "good")]
    return [Line(f"✅ Same schema, ledger and row counts after {done} ({time})", "good")]


def _format_findings(name: str, findings: Sequence[RehearsalFinding], style: Style) -> list[Line]:
    lines: list[Line] = []
    for found in findings:
        sign = "⚠️ " if found.mild else "❌"
        lines += hang(f"{sign} {clean(name)}: ", found.message, "warn" if found.mild else "bad")
        if found.error:
            lines += [Line(INDENT + line.text, line.role) for line in format_error(found.error, style)]
        lines += [format_change(text) for text in found.diff]
        if found.hint:
            lines += hang(f"{INDENT}Next:  ", found.hint)
    return lines


def annotate(event: MigrationVerified | CrashResumed | CrashTestSkipped, folder: Path) -> Iterator[Annotation]:
    """Yield an annotation for each finding of a rehearsal, at the line of its error, or else at the start of the file."""
    for found in event.findings:
        down = found.what in _OF_THE_DOWN_FILE
        line = event.line if isinstance(event, CrashResumed) else 0
        if found.error is not None and Path(found.error.file).name == f"{event.version}.sql":
            line, down = found.error.line, Path(found.error.file).parent.name == "down"
        path = find_file(folder, event.version, "down" if down else "up")
        lines = [found.message, found.error.message if found.error else "", *found.diff, found.hint]
        title = "db.verify" if isinstance(event, MigrationVerified) else "db.test-crash"
        yield Annotation("warning" if found.mild else "error", title, "\n".join(filter(None, lines)), path, line)
