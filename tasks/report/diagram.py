"""The messages of db.diagram."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, hang
from tasks.diagram.events import DiagramWritten


def register_messages() -> None:
    """Register the formatter for the event of a diagram."""
    register_formatters({DiagramWritten: _format_written})


def _format_written(event: DiagramWritten, _style: Style) -> list[Line]:
    lines = [line for text in event.unchecked for line in hang("⚠️  not drawn: ", text, "warn")]
    content = f"{count(event.tables, 'table')}, {count(event.foreign_keys, 'foreign key')}"
    lines.append(Line(f"✅ Wrote {clean(event.path)}: {content}", "good"))
    if event.pending:
        counted = [f"{number} {word}" for number, word in _count_marks(event) if number]
        effect = f"tables: {', '.join(counted)}" if counted else "no table changes"
        lines.append(Line(f"{INDENT}Marked: changes of {count(len(event.pending), 'pending migration')} ({effect})"))
    return lines


def _count_marks(event: DiagramWritten) -> tuple[tuple[int, str], ...]:
    return (event.new, "new"), (event.changed, "changed"), (event.dropped, "dropped")
