"""The message of db.check-order."""

from __future__ import annotations

from tasks.checkout.order import OrderChecked
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, hang


def register_messages() -> None:
    """Register the formatter for the event of db.check-order."""
    register_formatters({OrderChecked: _format_order})


def _format_order(event: OrderChecked, _style: Style) -> list[Line]:
    base = clean(event.base)
    if not event.late:
        if not event.new:
            return [Line(f"✅ No new migration since {base}", "good")]
        newest = f"newer than {clean(event.newest)}, the newest of {base}" if event.newest else f"{base} has none"
        return [Line(f"✅ {count(len(event.new), 'new migration')}: {newest}", "good")]
    lines: list[Line] = []
    for version in event.late:
        lines += hang("❌ ", f"{clean(version)} is not newer than {clean(event.newest)}, the newest migration of {base}", "bad")
    lines += hang(INDENT, "A database that already has that one would run it late. Rename it, and what follows it:")
    lines += [Line(f"{INDENT}{clean(command)}", "code") for command in event.commands]
    lines += hang(INDENT, "Where it is already applied, for example on your laptop, roll it back first.", "dim")
    return lines
