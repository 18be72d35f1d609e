"""Coloured lines that fit the terminal; long ones are folded with a hanging indent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.text import Text

from tasks.console.lines import INDENT, Line

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "plain": "",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "dim": "dim",
    "head": "bold",
    "code": "cyan",
    "caret": "bold red",
    "added": "green",
    "removed": "red",
}
_CROPPED_ROLES = {"code", "caret"}
_LABELS = (f"{INDENT}State: ", f"{INDENT}Next:  ")
_TIME = re.compile(r"\(\d[^()]*\)$")
_NARROW = 30


def wrap_line(line: Line, console: Console) -> Text:
    """Return a line coloured by its role and folded to the terminal's width; source lines are cropped to keep carets in place."""
    text = Text(line.text, style=_STYLES[line.role])
    text.highlight_regex(_TIME, "dim")
    label = next((label for label in _LABELS if line.text.startswith(label)), "")
    text.stylize("bold", 0, len(label))
    if line.role in _CROPPED_ROLES:
        text.no_wrap, text.overflow = True, "ellipsis"
        return text
    if text.cell_len <= console.width:
        return text
    lead = len(label) or len(line.text) - len(line.text.lstrip())
    if console.width <= _NARROW:
        lead = 0
    indent = Text(" " * (lead or len(INDENT)))
    first, *rest = text[lead:].wrap(console, max(console.width - len(indent), 1))
    return Text("\n").join([text[:lead] + first, *(indent + part for part in rest)])
