"""Format the lines of a difference between two schemas, each in the style of its sign."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, Role

_SIGNS: dict[str, Role] = {"+": "added", "-": "removed", "~": "warn", "@": "dim"}


def format_change(text: str) -> Line:
    """Return a line of a difference without control characters, with its indentation."""
    tail = text.lstrip(" ")
    return Line(f"{INDENT}{' ' * (len(text) - len(tail))}{clean(tail)}", _SIGNS.get(text.lstrip()[:1], "plain"))


def count_objects(lines: Iterable[str]) -> int:
    """Return of how many objects the lines of a difference are: a new table is one, with its columns."""
    return sum(not line.startswith(" ") for line in lines)
