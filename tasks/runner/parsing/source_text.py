"""The text of a file, the places in it that errors point at, and the beginning and end of its statements."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tasks.postgres.masking import mask
from tasks.postgres.tokens import BLANKS, tokenize
from tasks.runner.errors import Place, RefusedError
from tasks.runner.parsing.invisible import describe_invisible, is_invisible
from tasks.runner.redaction import redact

BYTE_ORDER_MARK = "\ufeff"
_MOST_NAMED = 3
_QUOTED = 60
"""How many characters of a text a message quotes at most."""


class ScriptError(RefusedError):
    """A file whose text cannot be run; `place` is the place of the error."""

    def __init__(self, message: str, *, hint: str, place: Place) -> None:
        super().__init__(message, hint=hint, state="Nothing was changed.", place=place)


@dataclass(frozen=True, slots=True)
class SqlText:
    """The text of a file without its byte order mark; `shift` is the number of characters removed from the front."""

    file: str
    text: str
    shift: int = 0
    line: int = 1
    """The line of the file in which the text begins."""

    def place(self, offset: int) -> Place:
        """Return line, column and source line of a character of the text; the column does not count a byte order mark.

        The source line is that of the text without its secrets.
        """
        masked = mask(self.text)
        text, offset = masked.text, masked.move(offset)
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", start)
        source = text[start : end if end >= 0 else len(text)].rstrip("\r")
        return Place(self.file, text.count("\n", 0, offset) + 1, offset - start + 1, source)

    def error(self, offset: int, message: str, *, hint: str) -> ScriptError:
        """Return the error that points at a character of the text."""
        return build_script_error(self.place(offset), message, hint=hint, statement=self.text)


def build_script_error(place: Place, message: str, *, hint: str, statement: str) -> ScriptError:
    """Return the error at a place, which names the invisible characters of its line; secrets of the statement are hidden."""
    named = [
        describe_invisible(character, replace(place, column=column))
        for column, character in enumerate(place.source, 1)
        if is_invisible(character)
    ]
    text = redact("\n".join((message, *named[:_MOST_NAMED])), statement=statement)
    return ScriptError(text, hint=redact(hint, statement=statement), place=place)


def shorten(message: str, rest: str) -> str:
    """Shorten the rest of the text, which a message quotes where a token is not closed, to the beginning of its first line."""
    beginning = rest.partition("\n")[0][:_QUOTED].rstrip()
    return message.replace(rest, beginning if beginning == rest.rstrip() else f"{beginning} …") if rest else message


def blank(text: str) -> str:
    """Return spaces and line breaks of the same number, so that the text after them keeps its place."""
    lines, last = text.count("\n"), len(text) - text.rfind("\n") - 1
    return " " * (len(text) - lines - last) + "\n" * lines + " " * last


def take_text(text: str, file: str) -> SqlText:
    """Return the text of a file as it was read, with or without a byte order mark."""
    if text.startswith(BYTE_ORDER_MARK):
        return SqlText(file, text[1:], 1)
    return SqlText(file, text)


def find_statement(text: str, start: int) -> int:
    """Return where the next statement begins, from a character between statements on; the end of the text if there is none."""
    for token in tokenize(text, start, skip=BLANKS):
        if token.text != ";":
            return token.start
    return len(text)


def trim(text: str) -> str:
    """Remove space and comments from the end of a statement; comments within it are kept."""
    text = text.rstrip()
    if not text.endswith("*/") and "--" not in text[text.rfind("\n") + 1 :]:
        return text
    end = 0
    for token in tokenize(text, skip=BLANKS):
        end = token.end
    return text[:end]
