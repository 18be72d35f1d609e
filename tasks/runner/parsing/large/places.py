"""Places in a large file, for errors: line and column are found from the index of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.postgres.masking import mask
from tasks.runner.errors import Place
from tasks.runner.parsing.large.text import LargeText
from tasks.runner.parsing.source_text import ScriptError, SqlText, build_script_error

_CONTEXT = 64 * 1024
"""How far before a place its statement is read to find out which of its values are secrets, in bytes."""
_SHOWN_BEFORE = 40
_MARK = "\ufeff"


def locate(text: LargeText, offset: int, *, since: int | None = None) -> Place:
    """Return the place of a character of a file, by its number from 0, with its line without secrets.

    `since` is the byte at which its statement begins. Of a long line, the source is the part from shortly before the character.
    """
    position = text.find_byte(min(offset, text.index.characters[-1]))
    before, lines = text.count_before(position)
    line_start = text.find_line_start(position)
    start, cut = text.cut_around(position)
    begin = since if since is not None and 0 <= start - since <= _CONTEXT else start
    head = text.read(begin, start).decode(errors="ignore")
    at = len(head) + len(text.read(start, position).decode(errors="ignore"))
    masked = mask(head + cut)
    moved = masked.move(at)
    first = masked.text.rfind("\n", 0, moved) + 1
    last = masked.text.find("\n", moved)
    source = masked.text[first : last if last >= 0 else len(masked.text)].rstrip("\r")
    column = moved - first
    if start != line_start:
        column = before - text.count_before(line_start)[0]
        source = source[max(moved - first - _SHOWN_BEFORE, 0) :]
    if source.startswith(_MARK):
        source, column = source[1:], max(column - 1, 0)
    return Place(text.shown, lines + 1, column + 1, source)


@dataclass(frozen=True, slots=True)
class ChunkText(SqlText):
    """A part of the text of a large file; `shift` is the number of characters before it."""

    origin: LargeText | None = None
    start: int = 0
    """The byte at which it begins."""

    def place(self, offset: int) -> Place:
        """Return the place of a character of the part."""
        assert self.origin is not None
        return locate(self.origin, offset + self.shift, since=self.start)


@dataclass(frozen=True, slots=True)
class LargePlaces:
    """What names a place in a large file by the number of its character."""

    text: LargeText
    shift: int = 0

    def error(self, offset: int, message: str, *, hint: str) -> ScriptError:
        """Return the error that points at a character of the file."""
        return build_script_error(locate(self.text, offset), message, hint=hint, statement="")
