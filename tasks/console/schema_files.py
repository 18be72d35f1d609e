"""The lines about migrations/schema.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, count, hang

if TYPE_CHECKING:
    from tasks.console.lines import Style
    from tasks.runner.events import SchemaChecked, SchemaWritten

_MOST_NAMED = 10


def format_written(event: SchemaWritten, _style: Style) -> list[Line]:
    """Return the lines for a schema file that was written, or was not."""
    path = clean(event.path)
    if event.problem:
        lines = hang(f"⚠️  {path} was not written: ", event.problem, "warn")
        return [*lines, *(hang(f"{INDENT}Next:  ", event.hint) if event.hint else [])]
    wrote = f"📄 Updated {path}" if event.action == "rollback" else f"📄 Wrote {path}: commit it with the migration"
    wrote = f"✅ {path} is up to date" if event.unchanged else wrote
    if not event.differences:
        taken = (hang("ℹ️  taken from the database: ", text, "dim") for text in event.unchecked)
        return [Line(wrote, "dim"), *(line for lines in taken for line in lines)]
    number = count(len(event.differences), "change")
    lines = [] if event.unchanged else [Line(wrote, "dim")]
    lines.append(Line(f"⚠️  The database has {number} outside the migrations, not in {path}:", "warn"))
    lines += [Line(f"{INDENT}{clean(text)}") for text in event.differences[:_MOST_NAMED]]
    more = len(event.differences) - _MOST_NAMED
    lines += [Line(f"{INDENT}and {more} more")] if more > 0 else []
    next_step = "inv db.drift shows them; inv db.drift --as-migration NAME writes them as a migration."
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]


def format_checked(event: SchemaChecked, _style: Style) -> list[Line]:
    """Return the lines for a schema file that was compared with the migration files."""
    if not event.differences:
        return [Line(f"✅ {clean(event.path)} is up to date", "good")]
    lines = [Line(f"❌ {clean(event.path)} is not what the migrations make (- found, + expected)", "bad")]
    lines += [Line(f"{INDENT}{clean(text)}") for text in event.differences]
    return [*lines, *hang(f"{INDENT}Next:  ", "Write it from the files: inv db.schema")]
