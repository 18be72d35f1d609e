"""Format the lines of a difference between two schemas, each in the style of its sign."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, Role

_SIGNS: dict[str, Role] = {"+": "added", "-": "removed", "~": "warn", "@": "dim"}


def format_change(text: str) -> Line:
    """Return a line of a difference without control characters, with its indentation."""
    tail = text.lstrip(" ")
    return Line(f"{INDENT}{' ' * (len(text) - len(tail))}{clean(tail)}", _SIGNS.get(text.lstrip()[:1], "plain"))
