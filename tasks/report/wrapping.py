"""Coloured lines that fit the terminal; long ones are folded with a hanging indent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
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
_TIME = re.compile(r"(?<= )\(\d[^()]*\)$")
_MARK = re.compile(r" *(?:[-+~>] )?")
"""The indentation of a line, with the sign of a line of a list or a difference."""
_NARROW = 30


def wrap_lines(lines: Iterable[Line], console: Console) -> list[Text]:
    """Return lines as `wrap_line` does; consecutive lines of SQL are highlighted together, because a string can span several."""
    wrapped: list[Text] = []
    for role, group in groupby(lines, attrgetter("role")):
        alike = list(group)
        wrapped += _highlight(alike, console) if role == "sql" else [wrap_line(line, console) for line in alike]
    return wrapped


def _highlight(lines: Iterable[Line], console: Console) -> list[Text]:
    """Return highlighted lines of SQL, folded to the terminal's width: nothing is cropped."""
    from rich.syntax import Syntax  # with pygments, which takes long to import

    code = Syntax("", "postgresql", theme="ansi_dark").highlight("\n".join(line.text for line in lines))
    code.rstrip()
    return [_fold(line, len(line.plain) - len(line.plain.lstrip()), console) for line in code.split("\n", allow_blank=True)]


def wrap_line(line: Line, console: Console) -> Text:
    """Return a line coloured by its role and folded to the terminal's width; source lines are cropped to keep carets in place."""
    text = Text(line.text, style=_STYLES[line.role])
    text.highlight_regex(_TIME, "dim")
    label = next((label for label in _LABELS if line.text.startswith(label)), "")
    text.stylize("bold", 0, len(label))
    if line.role in _CROPPED_ROLES:
        text.no_wrap, text.overflow = True, "ellipsis"
        return text
    mark = _MARK.match(line.text)
    return _fold(text, len(label) or (mark.end() if mark else 0), console)


def _fold(text: Text, lead: int, console: Console) -> Text:
    """Return a text folded to the terminal's width, with an indent of `lead` cells."""
    if text.cell_len <= console.width:
        return text
    if console.width <= _NARROW:
        lead = 0
    indent = Text(" " * (lead or len(INDENT)))
    first, *rest = text[lead:].wrap(console, max(console.width - len(indent), 1))
    return Text("\n").join([text[:lead] + first, *(indent + part for part in rest)])
