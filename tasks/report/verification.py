"""The words for what rehearsals answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.console.cells import clean, first_line
from tasks.console.lines import INDENT, Line, Style, count, hang, write_duration
from tasks.console.words import register_formatters, say_error
from tasks.rehearsal.events import (
    CrashResumed,
    CrashTestFinished,
    CrashTestSkipped,
    CrashTestStarted,
    Found,
    MigrationVerified,
    VerifyFinished,
    VerifyStarted,
)
from tasks.report.schema_changes import write_change

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAJOR = 10000


def register_words() -> None:
    """Teach the report the words for rehearsals."""
    register_formatters(
        {
            VerifyStarted: _start_verify,
            MigrationVerified: _say_verified,
            VerifyFinished: _finish_verify,
            CrashTestStarted: _start_crash_test,
            CrashResumed: _say_resumed,
            CrashTestSkipped: _say_skipped,
            CrashTestFinished: _finish_crash_test,
        }
    )


def _start_verify(event: VerifyStarted, _style: Style) -> list[Line]:
    text = f"Verifying {event.count} of {count(event.total, 'migration')} ({clean(event.reason)})"
    lines = [Line(f"{text} on a scratch PostgreSQL {event.server_version // _MAJOR}", "dim")]
    if event.without:
        lines.append(Line(f"Without {clean(', '.join(event.without))}: what needs that is not checked", "warn"))
    return lines


def _say_verified(event: MigrationVerified, style: Style) -> list[Line]:
    lines: list[Line] = []
    if not any(not found.mild for found in event.findings):
        done = "up, down, up" if event.restores else "up"
        rows = ", with rows" if event.with_data else ""
        lines.append(Line(f"✅ {clean(event.version)}: {done}{rows} ({write_duration(event.duration_ms)})", "good"))
    if event.irreversible and event.works:
        lines += hang(f"{INDENT}irreversible: ", event.irreversible, "dim")
    if event.late == "safe":
        lines.append(Line(f"{INDENT}late, and safe to run late: the schema comes out the same", "dim"))
    lines += _say_findings(event.version, event.findings, style)
    for text in event.unchecked:
        lines += hang(f"{INDENT}not checked: ", text, "warn")
    return lines


def _finish_verify(event: VerifyFinished, _style: Style) -> list[Line]:
    time = write_duration(event.duration_ms)
    if event.found:
        return [Line(f"❌ Found something in {event.found} of {count(event.count, 'migration')} ({time})", "bad")]
    if not event.count:
        return [Line("✅ Nothing to verify: no migration is pending", "good")]
    return [Line(f"✅ Verified {count(event.count, 'migration')} ({time})", "good")]


def _start_crash_test(event: CrashTestStarted, _style: Style) -> list[Line]:
    text = f"Killing runs of {event.count} of {count(event.total, 'migration')} ({clean(event.reason)}) after each statement"
    return [Line(f"{text}, on a scratch PostgreSQL {event.server_version // _MAJOR}", "dim")]


def _say_resumed(event: CrashResumed, style: Style) -> list[Line]:
    place = f"{clean(event.version)}: killed after statement {event.number} of {event.total}"
    if event.findings:
        head = [Line(f"{INDENT}line {event.line}: {first_line(event.text)}", "code")]
        return [*_say_findings(place, event.findings, style), *head]
    return [Line(f"✅ {place} (line {event.line}), resumed, equal", "good")]


def _say_skipped(event: CrashTestSkipped, style: Style) -> list[Line]:
    if event.findings:
        return _say_findings(event.version, event.findings, style)
    return hang(f"⏭️  {clean(event.version)} is not killed: ", event.reason, "warn")


def _finish_crash_test(event: CrashTestFinished, _style: Style) -> list[Line]:
    done = f"{count(event.kills, 'killed run')} of {count(event.count, 'migration')}"
    time = write_duration(event.duration_ms)
    if event.found:
        return [Line(f"❌ {event.found} times something was found in {done} ({time})", "bad")]
    if not event.count:
        return [Line("✅ Nothing to kill: no migration is pending", "good")]
    return [Line(f"✅ Schema, ledger and numbers of rows came out equal: {done} ({time})", "good")]


def _say_findings(name: str, findings: Sequence[Found], style: Style) -> list[Line]:
    lines: list[Line] = []
    for found in findings:
        sign = "⚠️ " if found.mild else "❌"
        lines += hang(f"{sign} {clean(name)}: ", found.message, "warn" if found.mild else "bad")
        if found.error:
            lines += [Line(INDENT + line.text, line.role) for line in say_error(found.error, style)]
        lines += [write_change(text) for text in found.diff]
        if found.hint:
            lines += hang(f"{INDENT}Next:  ", found.hint)
    return lines
