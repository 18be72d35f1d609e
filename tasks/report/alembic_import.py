"""The messages of db.import-alembic."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.alembic_import.events import AlembicImportFinished, AlembicImportPlanned, RevisionImported
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, hang


def register_messages() -> None:
    """Register the formatters of the events of an import."""
    register_formatters({AlembicImportPlanned: _plan_import, AlembicImportFinished: _finish_import})


def _plan_import(event: AlembicImportPlanned, style: Style) -> list[Line]:
    new = [each for each in event.revisions if each.is_new]
    before = f", {len(event.revisions) - len(new)} imported before" if len(new) < len(event.revisions) else ""
    lines = [Line(f"{count(len(event.revisions), 'revision')} of Alembic in {clean(event.folder)}{before}", "head")]
    for each in event.revisions if style.verbose else new:
        lines += _describe(each)
    if event.unproved and new:
        lines += hang("⚠️  ", f"Nothing is proved: {event.unproved}", "warn")
    lines += [line for text in event.warnings for line in hang("⚠️  ", text, "warn")]
    return lines


def _describe(each: RevisionImported) -> Iterator[Line]:
    becomes = clean(each.version) or "no file: it has no statement"
    yield Line(f"{INDENT}{clean(each.revision)} → {becomes}", "plain" if each.version else "dim")
    if each.irreversible:
        yield from hang(f"{INDENT * 2}", f"cannot be rolled back: {each.irreversible}", "dim")
    for text in each.warnings:
        yield from hang(f"{INDENT}⚠️  ", f"{each.path}: {text}", "warn")


def _finish_import(event: AlembicImportFinished, _style: Style) -> list[Line]:
    if not event.files:
        return [Line("✅ Nothing to do: every revision is imported", "good")]
    proof = (
        "proved on scratch: the same schema and the same rows as by Alembic, after each revision"
        if event.proved
        else "not proved"
    )
    done = (
        f"Wrote {count(len(event.files), 'file')}"
        if event.applied
        else f"Dry run: {count(len(event.files), 'file')} would be written"
    )
    return [
        Line(f"{'✅' if event.proved else '⚠️ '} {done}; {proof}", "good" if event.proved else "warn"),
        Line(f"{INDENT}Next:  commit them, then inv db.adopt --env=… for each database that has some of them"),
    ]
