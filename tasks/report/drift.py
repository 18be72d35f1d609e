"""The words for a drift."""

from __future__ import annotations

from tasks.catalog import show_difference
from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, Style, count, hang, write_database
from tasks.console.words import register_formatters
from tasks.rehearsal.drift.drift import DriftRead, MigrationWritten
from tasks.report.schema_changes import write_change


def register_words() -> None:
    """Teach the report the words for a drift."""
    register_formatters({DriftRead: _say_drift, MigrationWritten: _say_written})


def _say_drift(event: DriftRead, _style: Style) -> list[Line]:
    where = write_database(event.environment, event.database)
    lines = [Line(f"{where}: {count(event.objects, 'object')} beside a replay of {count(event.versions, 'migration')}", "dim")]
    for text in event.unchecked:
        lines += hang("⚠️  not checked: ", text, "warn")
    if not event.changes:
        return [*lines, Line("✅ No drift: the schema is what the migrations make", "good")]
    number = len(event.changes.changes)
    lines.append(Line(f"❌ {count(number, 'change')} besides the migrations (+ there is, - there should be)", "bad"))
    lines += [write_change(text) for text in show_difference(event.changes)]
    env = f" --env={clean(event.environment)}" if event.environment else ""
    next_step = f"inv db.drift{env} --as-migration NAME writes this as a migration; or undo it by hand"
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]


def _say_written(event: MigrationWritten, _style: Style) -> list[Line]:
    lines = [Line(f"✅ Created {clean(event.version)}", "good"), *(Line(f"{INDENT}{clean(path)}") for path in event.paths)]
    for text in event.by_hand:
        lines += hang("⚠️  to do by hand: ", text, "warn")
    if event.problem:
        return [*lines, *hang("❌ Not proved on scratch: ", event.problem, "bad")]
    lines.append(Line(f"{INDENT}Proved on scratch: up makes this schema, down takes it back. Review it, then commit.", "dim"))
    env = f" --env={clean(event.environment)}" if event.environment else ""
    next_step = f"inv db.adopt{env} records it where it is in place; inv db.migrate brings it everywhere else"
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]
