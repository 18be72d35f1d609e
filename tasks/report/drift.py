"""The messages of db.drift."""

from __future__ import annotations

from tasks.catalog import show_difference
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, format_database, hang
from tasks.rehearsal.drift.drift import DriftRead, MigrationWritten
from tasks.report.schema_changes import format_change
from tasks.runner.command_lines import compose_command


def register_messages() -> None:
    """Register the formatters for the events of drift."""
    register_formatters({DriftRead: _format_drift, MigrationWritten: _format_written})


def _format_drift(event: DriftRead, _style: Style) -> list[Line]:
    where = format_database(event.environment, event.database)
    compared = f"Compared {count(event.objects, 'object')} with a replay of {count(event.versions, 'migration')}."
    lines = [Line(f"{where}: {compared}", "dim")]
    for text in event.unchecked:
        lines += hang("⚠️  not checked: ", text, "warn")
    for text in event.unfinished:
        lines += hang("⚠️  ", f"{text}; that part is not counted as drift.", "warn")
    if event.unknown:
        lines += hang("⚠️  ", f"the texts and unfinished attempts in the ledger are {event.unknown}", "warn")
    for text in event.replaced:
        lines += hang("⚠️  ", f"{text}. The file of this checkout was used.", "warn")
    if event.uncompared:
        lines += hang(f"{INDENT}Not compared: ", f"{', '.join(event.uncompared)}.", "dim")
    if event.mild:
        differences = count(len(event.mild.changes), "difference")
        lines.append(
            Line(
                f"⚠️  not counted as drift: {differences} in the order of columns, or that an upgrade or a restore leaves", "warn"
            )
        )
        lines += [format_change(text) for text in show_difference(event.mild)]
    if not event.changes:
        return [*lines, Line("✅ No drift: the schema is the same as after the applied migrations", "good")]
    number = len(event.changes.changes)
    lines.append(Line(f"❌ {count(number, 'difference')} from the migrations (+ found, - expected)", "bad"))
    lines += [format_change(text) for text in show_difference(event.changes)]
    command = compose_command("db.drift", "--as-migration", "NAME", env=event.environment)
    next_step = f"Write the differences as a migration ({command}), or revert them by hand."
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]


def _format_written(event: MigrationWritten, _style: Style) -> list[Line]:
    lines = [Line(f"✅ Created {clean(event.version)}", "good"), *(Line(f"{INDENT}{clean(path)}") for path in event.paths)]
    for text in event.by_hand:
        lines += hang("⚠️  not changed: ", text, "warn")
    if event.irreversible:
        lines += hang("⚠️  the migration cannot be rolled back: ", event.irreversible, "warn")
    result = "up produces this schema" + ("" if event.irreversible else ", down reverts it")
    lines.append(Line(f"{INDENT}Verified on scratch: {result}. Review the files, then commit them.", "dim"))
    command = compose_command("db.adopt", env=event.environment)
    next_step = f"{command} records it as applied in this database; inv db.migrate applies it to the others."
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]
