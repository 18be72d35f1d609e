"""The words for cleaning up and squashing."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, Role, Style, count, hang, write_moment
from tasks.console.tables import align
from tasks.console.words import register_formatters
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged, SquashFinished, SquashPlanned

_MAJOR = 10000
_COLUMNS = ("verdict", "file", "becomes", "written (UTC)", "known from")
_ROLES: dict[str, Role] = {"works": "plain", "data only": "plain", "fails": "bad", "needs": "warn"}


def register_words() -> None:
    """Teach the report the words for cleaning up and squashing."""
    register_formatters(
        {
            CleanupPlanned: _plan_cleanup,
            FileChanged: _change_file,
            CleanupFinished: _finish_cleanup,
            SquashPlanned: _plan_squash,
            SquashFinished: _finish_squash,
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
            clean(each.version) or ("stays: mend it first" if each.stops else "_superseded/"),
            write_moment(each.date),
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
    return [*lines, Line("")]


def _change_file(event: FileChanged, _style: Style) -> list[Line]:
    return [Line(f"📄 {event.what[:1].upper()}{event.what[1:]} {clean(event.path)}", "dim")]


def _finish_cleanup(event: CleanupFinished, _style: Style) -> list[Line]:
    if not event.migrations + event.aside + event.blocked:
        return [Line("✅ Nothing to do: there are no old files", "good")]
    parts = [count(event.migrations, "migration"), f"{event.aside} set aside"]
    if event.blocked:
        parts.append(f"{event.blocked} to be mended first")
    text = ", ".join(parts)
    if event.applied:
        return [
            Line(f"✅ Cleaned up: {text}", "good"),
            Line(f"{INDENT}Next:  look at git diff and commit; then inv db.adopt --env=… for each database that has some of it"),
        ]
    return [
        Line(f"{'⚠️ ' if event.blocked else '✅'} Would become: {text}", "warn" if event.blocked else "good"),
        Line(f"{INDENT}Next:  inv db.cleanup-legacy --apply"),
    ]


def _plan_squash(event: SquashPlanned, style: Style) -> list[Line]:
    lines = [
        Line(f"{count(len(event.versions), 'migration')} become {clean(event.version)}, with {count(event.rows, 'row')}", "head")
    ]
    lines += [Line(f"{INDENT}{clean(version)}", "dim") for version in event.versions]
    if style.verbose:
        lines += [Line(clean_code(line), "code") for line in event.text.splitlines()]
    return lines


def _finish_squash(event: SquashFinished, _style: Style) -> list[Line]:
    same = "proved on scratch: the same schema, the same rows"
    if event.applied:
        return [Line(f"✅ Squashed {count(event.count, 'migration')} into {clean(event.version)}; {same}", "good")]
    return [Line(f"✅ Dry run: nothing was changed; {same}", "good")]


def clean_code(text: str) -> str:
    """Clean a line of code, and keep its indentation."""
    return " " * (len(text) - len(text.lstrip(" "))) + clean(text.lstrip(" "))
