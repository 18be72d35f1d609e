"""The messages of db.cleanup-legacy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tasks.console.cells import clean, width
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, format_time, hang
from tasks.console.tables import align
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged, FileReference, OldFileJudged

_MAJOR = 10000
_LONG = 60
"""The number of files from which a table is shortened."""
_LIKE = 2
_SHOWN = 40
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


def _plan_cleanup(event: CleanupPlanned, style: Style) -> list[Line]:
    tried = (
        f", {count(event.orders, 'order')} tried on a scratch PostgreSQL {event.server_version // _MAJOR}" if event.orders else ""
    )
    lines = [Line(f"{count(len(event.files), 'old file')}{tried}", "head")]
    if event.without:
        lines.append(Line(f"Without {clean(', '.join(event.without))}: what needs that is not checked", "warn"))
    lines += [*_list_files(event.files, style), *_list_downs(event), *_list_references(event.references)]
    if event.lacking:
        lines += [Line(""), Line(f"⚠️  The scratch server does not have {clean(', '.join(event.lacking))}", "warn")]
        lines += [Line(f"{INDENT}{clean(each)}") for each in event.ways.splitlines()]
    return [*lines, Line("")]


def _list_files(files: Sequence[OldFileJudged], style: Style) -> Iterator[Line]:
    """Yield a table of the files; in a long one, equal verdicts in a row are counted from the third on.

    Where the table does not fit, what a file becomes is a line below it.
    """
    rows = [
        (
            each.verdict,
            clean(each.path),
            clean(each.version) or _describe_place(each),
            format_time(each.date),
            each.source,
        )
        for each in files
    ]
    head, *body = align([_COLUMNS, *rows])
    fits = max(map(width, (head, *body))) <= style.width
    if not fits:
        head, *body = align(row[:2] for row in [_COLUMNS, *rows])
    becomes = ["" if fits else f"becomes {name}, written {date} UTC ({source})" for _, _, name, date, source in rows]
    yield from (Line(""), Line(head))
    for _, group in groupby(zip(files, body, becomes, strict=True), lambda each: _describe_kind(each[0])):
        members = list(group)
        shown = members if len(files) <= _LONG or len(members) <= _LIKE + 1 else members[:_LIKE]
        for each, text, becoming in shown:
            yield Line(text, _ROLES.get(each.verdict, "dim"))
            if becoming:
                yield Line(INDENT + becoming, "dim")
            yield from (Line(INDENT + clean(note), "dim") for note in (each.reason, each.order) if note)
            for note in each.notes:
                yield from hang(f"{INDENT}⚠️  ", note, "warn")
        if len(shown) < len(members):
            yield Line(f"{INDENT}… and {len(members) - len(shown)} more like this, up to {clean(members[-1][0].path)}", "dim")


def _describe_place(each: OldFileJudged) -> str:
    if not each.stops:
        return "_superseded/"
    return "stays" if each.verdict == "needs" else "stays: fix it first"


def _describe_kind(each: OldFileJudged) -> tuple[str, ...]:
    return each.verdict, each.reason, each.order, *each.notes


def _list_downs(event: CleanupPlanned) -> Iterator[Line]:
    loses = dict(each.split(": ", 1) for each in event.loses)
    for version in _shorten(event.downs):
        loss = f"; it does not restore the rows of {loses[version]}" if version in loses else ""
        yield Line(f"{INDENT}a down is proposed for {clean(version + loss)}", "warn" if loss else "dim")
    lacks = [": ".join(pair) for pair in zip(event.no_downs, event.no_down_reasons, strict=False)]
    for lack in _shorten(lacks):
        yield from hang(INDENT, f"no down was found for {clean(lack)}; write it yourself", "warn")


def _list_references(references: Sequence[FileReference]) -> Iterator[Line]:
    if not references:
        return
    yield Line("")
    what = "These lines refer to" if len(references) > 1 else "This line refers to"
    yield Line(f"⚠️  {what} files that move; change what still needs them:", "warn")
    for each in references[:_SHOWN]:
        how = {"path": "", "name": " (by name only)", "folder": " (the whole folder)"}.get(each.how, "")
        yield Line(f"{INDENT}{clean(each.path)}:{each.line}: {clean(each.refers_to)}{how}", "warn")
    if len(references) > _SHOWN:
        yield Line(f"{INDENT}… and {len(references) - _SHOWN} more: --json lists all", "warn")


def _shorten(entries: Sequence[str]) -> Iterator[str]:
    yield from entries[:_SHOWN]
    if len(entries) > _SHOWN:
        yield f"{len(entries) - _SHOWN} more: --json lists all"


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
    following = event.next_command or "fix these files, or put _ before the names of those that are not needed"
    return [
        *unread,
        Line(f"{'⚠️ ' if event.blocked else '✅'} Would become: {text}", "warn" if event.blocked else "good"),
        Line(f"{INDENT}Next:  {clean(following)}"),
    ]
