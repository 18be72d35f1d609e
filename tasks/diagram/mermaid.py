"""A diagram as Mermaid in Markdown, which GitHub renders.

GitHub renders no diagram of more than 50,000 characters or 500 lines between tables, the limits that Mermaid has by default:
https://mermaid.js.org/config/schema-docs/config.html#maxtextsize. A larger diagram becomes several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tasks.console.cells import clean
from tasks.console.lines import count
from tasks.diagram.components import find_components
from tasks.diagram.model import Diagram, DrawnColumn, DrawnTable, ForeignKey

MOST_CHARACTERS, MOST_KEYS = 40_000, 400
"""What one diagram contains at most, below the limits of Mermaid."""
_MOST_TABLES, _MOST_COLUMNS = 16, 100
"""What is legible: GitHub scales a diagram to the width of the page."""
_MOST_CHANGES = 300
_OTHERS = re.compile(r"[^A-Za-z0-9_\u00c0-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd]+")
"""What the name of an attribute must not contain in any version of Mermaid, or what Markdown could interpret there:
https://github.com/mermaid-js/mermaid/blob/develop/packages/mermaid/src/diagrams/er/parser/erDiagram.jison"""
_NO_START = re.compile(r"[0-9]|(?:PK|FK|UK)\b", re.IGNORECASE)
_SUFFIX = re.compile(r"(?P<base>.*?)(?P<suffix>(?:\(\d+\))?(?:\[\])*)", re.DOTALL)
_FIRST_LETTER = 0xC0
"""The first letter beyond ASCII that the grammar accepts."""
_MARKS = {"new": "+ new", "changed": "~ changed", "dropped": "- dropped"}


def render_markdown(diagram: Diagram, summary: str, changes: Sequence[str]) -> str:
    """Return a diagram as Markdown: a heading, a summary, the changes of the pending migrations as a diff, and the diagrams."""
    lines = ["## Tables and foreign keys", "", _escape_markdown(summary)]
    if changes:
        shown = [clean(line) for line in changes[:_MOST_CHANGES]]
        more = [f"… {count(len(changes) - len(shown), 'more line')}"] if len(changes) > len(shown) else []
        lines += ["", "```diff", *shown, *more, "```"]
    parts = _divide(diagram)
    if len(parts) > 1:
        lines += ["", f"The diagram has {len(parts)} parts. A table without columns is in another part."]
    for part in parts:
        lines += ["", "```mermaid", *_render(part), "```"]
    return "\n".join(lines) + "\n"


def _divide(diagram: Diagram) -> list[Diagram]:
    """Return the diagram as parts within the limits; each foreign key is in the part of the table that has it.

    Tables that foreign keys connect are in one part where it is large enough.
    """
    keys: dict[str, list[ForeignKey]] = {}
    for key in diagram.keys:
        keys.setdefault(key.table, []).append(key)
    parts: list[Diagram] = []
    free = 0
    for table in (table for component in find_components(diagram) for table in component):
        cut, own = _limit_columns(table), keys.get(table.name, [])
        for first in range(0, max(1, len(own)), MOST_KEYS):
            added = Diagram((cut,) if first == 0 else (), tuple(own[first : first + MOST_KEYS]))
            size = sum(len(line) + 1 for line in _render(added))
            if size <= free and _has_room(parts[-1], added):
                parts[-1] = Diagram((*parts[-1].tables, *added.tables), (*parts[-1].keys, *added.keys))
                free -= size
            else:
                parts.append(added)
                free = MOST_CHARACTERS - size
    return parts


def _has_room(part: Diagram, added: Diagram) -> bool:
    return len(part.tables) + len(added.tables) <= _MOST_TABLES and len(part.keys) + len(added.keys) <= MOST_KEYS


def _limit_columns(table: DrawnTable) -> DrawnTable:
    """Return a table with at most _MOST_COLUMNS columns, and a last one that counts the others."""
    if len(table.columns) <= _MOST_COLUMNS:
        return table
    first = sorted(table.columns, key=lambda column: not (column.keys or column.mark))[:_MOST_COLUMNS]
    kept = [column for column in table.columns if column in first]
    return replace(table, columns=(*kept, DrawnColumn("…", count(len(table.columns) - len(kept), "more column"))))


def _render(part: Diagram) -> Iterator[str]:
    yield "erDiagram"
    whole = {table.name for table in part.tables if table.mark in ("new", "dropped")}
    for table in part.tables:
        alias = f'["{_escape(table.label)} ({_MARKS[table.mark]})"]' if table.mark else ""
        yield f'    "{_escape(table.label)}"{alias} {{'
        yield from (f"        {_render_column(column)}" for column in table.columns)
        yield "    }"
    for key in part.keys:
        child, parent = (_escape(name.removeprefix("public.")) for name in (key.table, key.target))
        label = _escape(", ".join(key.columns))
        mark = f" ({_MARKS[key.mark]})" if key.mark and key.table not in whole else ""
        yield f'    "{parent}" {"|o" if key.optional else "||"}--{"o|" if key.single else "o{"} "{child}" : "{label}{mark}"'


def _render_column(column: DrawnColumn) -> str:
    """Return an attribute; what its name or type cannot contain follows exactly as a comment."""
    kind, name = _make_word(column.type), _make_word(column.name)
    exact = [text for text, word in ((column.name, name), (column.type, kind)) if text != word]
    notes = [_MARKS[column.mark]] if column.mark else []
    notes += [f"was {column.was}"] if column.was else []
    comment = f' "{_escape(", ".join([*notes, *exact]), comment=True)}"' if notes or exact else ""
    return f"{kind} {name}{' ' if column.keys else ''}{', '.join(column.keys)}{comment}"


def _make_word(text: str) -> str:
    """Return a text as a word of the grammar; `numeric(10,2)` becomes `numeric`."""
    match = _SUFFIX.fullmatch(re.sub(r"\(\d+,-?\d+\)", "", clean(text)))
    base, suffix = match.groups() if match else (text, "")
    word = _OTHERS.sub("_", base)
    if word.endswith("_"):
        word = word.strip("_")
    return f"_{word}{suffix}" if not word or _NO_START.match(word) else word + suffix


def _escape(text: str, *, comment: bool = False) -> str:
    """Return a text for a quoted string of Mermaid, with entity codes for all that it or Markdown could interpret.

    A space in a name would let it contain a keyword: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
    """
    text = clean(text)
    neighbours = zip(f" {text}", text, f"{text[1:]} ", strict=False)
    return "".join(
        character if _is_plain(before, character, after, comment=comment) else f"#{ord(character)};"
        for before, character, after in neighbours
    )


def _is_plain(before: str, character: str, after: str, *, comment: bool) -> bool:
    """Return True for letters and digits, and for what is between two of them as in `app.user_id`."""
    if character.isalnum():
        return character.isascii() or ord(character) >= _FIRST_LETTER
    if character in "_." and before.isalnum() and after.isalnum():
        return True
    return comment and character in " ,()+-~"


def _escape_markdown(text: str) -> str:
    """Return a text of a line of Markdown without what Markdown or HTML would interpret."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!@&])", r"\\\1", clean(text))
