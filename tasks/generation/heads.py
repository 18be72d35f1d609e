"""The comments of a generated file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from tasks.catalog import Catalog, Change
from tasks.rehearsal.sql_diff.names import split_list

_WIDTH = 118
_DESCRIPTION = "-- Description:"
_READ = re.compile(r"migrate|lint|squawk-ignore|NOT WRITTEN", re.IGNORECASE)
"""What a comment that is read begins with: a name in a note may contain it, so such a note has no second line."""


def write_head(words: str, label: str, notes: Sequence[tuple[str, Sequence[str]]] = ()) -> str:
    """Return the comments above the statements: what the file does, where it comes from, and lists of notes with headings."""
    lines = [f"{_DESCRIPTION} {_join(words)}", "", f"Generated from {_join(label)}. Review it before you run it."]
    for heading, texts in notes:
        if texts:
            lines += [heading, *(f"  {_join(text)}" for text in texts)]
    lines.append("No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool does that.")
    return "".join(_comment(line) for line in lines) + "\n"


def complete(head: str, text: str) -> str:
    """Return the text of a file below its head, which takes the place of a description in the text."""
    first, _, rest = text.partition("\n")
    return head.rstrip("\n") + "\n\n" + (rest if first.startswith(_DESCRIPTION) else text).lstrip("\n")


def read_description(text: str) -> str:
    """Return the description at the top of a file, in which names are written as they are; empty if there is none."""
    first = text.partition("\n")[0]
    return first.removeprefix(_DESCRIPTION).strip() if first.startswith(_DESCRIPTION) else ""


def name_file(version: str, text: str) -> str:
    """Return the complete text of a file with a version."""
    return f"-- Migration: {version}.sql\n{text}"


def write_irreversible(reason: str) -> str:
    """Return the text of a down that contains no statements."""
    return f"-- migrate: irreversible {_join(reason)}\n"


def describe_order(change: Change, before: Catalog) -> str:
    """Return the order that the columns of a table have instead of the wanted one, for example `t: new ones come last (a)`.

    The change leads from the order that the columns have to the wanted one; `before` is the schema before the migration.
    """
    reached, wanted = (split_list(text or "") for text in (change.before, change.after))
    had = split_list(before.objects.get(change.key, ""))
    new = [name for name in reached if name not in had]
    come_last = (
        bool(new) and [*(name for name in wanted if name not in new), *(name for name in wanted if name in new)] == reached
    )
    return f"{change.key.name}: {f'new ones come last ({_list(new)})' if come_last else f'it is {_list(reached)}'}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _join(text: str) -> str:
    """Return a text as one line: a name in it may contain line ends."""
    return " ".join(text.split())


def _comment(line: str) -> str:
    if line.startswith("--"):
        return f"{line}\n"
    indent = " " * (len(line) - len(line.lstrip()))
    width = len(line) + _WIDTH if _READ.search(line) else _WIDTH
    lines = textwrap.wrap(
        line.strip(), width, initial_indent=f"-- {indent}", subsequent_indent=f"-- {indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "".join(f"{each}\n" for each in lines or ["--"])
