"""The messages of db.cleanup-legacy."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, format_time, hang
from tasks.console.tables import align
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged

_MAJOR = 10000
_COLUMNS = ("verdict", "file", "becomes", "written (UTC)", "known from")
_ROLES: dict[str, Role] = {"works": "plain", "data only": "plain", "fails": "bad", "needs": "warn", "repeatable": "warn"}


def register_messages() -> None:
    """Register the formatters of the events of a clean-up."""
    register_formatters(
        {
            CleanupPlanned: _plan_cleanup,
            FileChanged: describe_file_change,
            CleanupFinished: _finish_cleanup,
        }
    )


def _plan_cleanup(event: CleanupPlanned, _style: Style) -> list[Line]:
    tried = (
        f", {count(event.orders, 'order')} tried on a scratch PostgreSQL {event.server_version // _MAJOR}" if event.orders else ""
    )
    lines = [Line(f"{count(len(event.files), 'old file')}{tried}", "head")]
    if event.without:
        lines.append(Line(f"Without {clean(', '.join(event.without))}: what needs that is not checked", "warn"))
    rows = [
        (
            each.verdict,
            clean(each.path),
            clean(each.version) or ("stays: fix it first" if each.stops else "_superseded/"),
            format_time(each.date),
            each.source,
        )
        for each in event.files
    ]
    head, *body = align([_COLUMNS, *rows])
    lines += [Line(""), Line(head)]
    for each, text in zip(event.files, body, strict=True):
        lines.append(Line(text, _ROLES.get(each.verdict, "dim")))
        lines += [Line(INDENT + clean(note), "dim") for note in (each.reason, each.order) if note]
        lines += [line for note in each.notes for line in hang(f"{INDENT}⚠️  ", note, "warn")]
    lines += [Line(f"{INDENT}a down is proposed for {clean(version)}", "dim") for version in event.downs]
    lines += [Line(f"{INDENT}no down was found for {clean(version)}: write it yourself", "warn") for version in event.no_downs]
    return [*lines, Line("")]


def describe_file_change(event: FileChanged, _style: Style) -> list[Line]:
    """Return the line for one change of a file."""
    return [Line(f"📄 {event.what[:1].upper()}{event.what[1:]} {clean(event.path)}", "dim")]


def _finish_cleanup(event: CleanupFinished, _style: Style) -> list[Line]:
    unread = [Line(f"⚠️  Not read: {clean(place)}; name the folder with --folder to include it", "warn") for place in event.unread]
    if not event.migrations + event.aside + event.blocked:
        return unread or [Line("✅ Nothing to do: there are no old files", "good")]
    parts = [count(event.migrations, "migration"), f"{event.aside} set aside"]
    if event.blocked:
        parts.append(f"{event.blocked} to be fixed first")
    text = ", ".join(parts)
    if event.applied:
        return [
            *unread,
            Line(f"✅ Cleaned up: {text}", "good"),
            Line(f"{INDENT}Next:  check git diff and commit; then inv db.adopt --env=… for each database that has some of them"),
        ]
    return [
        *unread,
        Line(f"{'⚠️ ' if event.blocked else '✅'} Would become: {text}", "warn" if event.blocked else "good"),
        Line(f"{INDENT}Next:  inv db.cleanup-legacy --apply"),
    ]
