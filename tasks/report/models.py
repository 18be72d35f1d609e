"""The messages of db.check-models."""

from __future__ import annotations

from tasks.catalog import show_difference
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, hang
from tasks.models.events import ModelsChecked
from tasks.report.generation import format_left_out
from tasks.report.schema_changes import count_objects, format_change
from tasks.runner.command_lines import compose_command

_REMOVED_HINT = (
    "Tables that models lack may be in modules that were not imported: name those too, or leave tables out (--exclude)."
)


def register_messages() -> None:
    """Register the formatter for the event of a check."""
    register_formatters({ModelsChecked: _format_checked})


def describe_difference(event: ModelsChecked) -> str:
    """Return the message for a test whose models and migrations differ; empty if they agree.

    The number of differences is in the first line, which is all that pytest shows in its summary.
    """
    lines = [*_format_difference(event), *_format_comparison(event, Style())] if event.changes else []
    return "\n".join(line.text for line in lines)


def _format_checked(event: ModelsChecked, style: Style) -> list[Line]:
    verdict = _format_difference(event) if event.changes else [Line("✅ Models and migrations agree", "good")]
    return [*_format_comparison(event, style), *verdict]


def _format_comparison(event: ModelsChecked, style: Style) -> list[Line]:
    models = clean(", ".join(event.models))
    compared = f"Compared {models} ({count(event.tables, 'table')}) with a replay of {count(event.versions, 'migration')}."
    lines = [Line(compared, "dim")]
    for text in event.unchecked:
        lines += hang("⚠️  not checked: ", text, "warn")
    if event.exclude:
        lines += hang(f"{INDENT}Left out by --exclude: ", ", ".join(event.exclude), "dim")
    return [*lines, *format_left_out(event.left_out, style)]


def _format_difference(event: ModelsChecked) -> list[Line]:
    changes = list(show_difference(event.changes))
    number = count(count_objects(changes), "difference")
    lines = [Line(f"❌ {number} (+ in the models only, - in the migrations only)", "bad"), *map(format_change, changes)]
    if any(change.key.kind == "table" and change.after is None for change in event.changes.changes):
        lines += hang(f"{INDENT}", _REMOVED_HINT, "dim")
    arguments = ["NAME", "--from-models", ",".join(event.models), *(f"--exclude={name}" for name in event.exclude)]
    next_step = f"Write the differences as a migration ({compose_command('db.new', *arguments)}), or correct the models."
    return [*lines, *hang(f"{INDENT}Next:  ", next_step)]
