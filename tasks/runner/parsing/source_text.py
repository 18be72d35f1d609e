"""The text of a file, and the places in it that errors speak of."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.errors import Place, RefusedError

BYTE_ORDER_MARK = "\ufeff"
_QUOTED = 60
"""How many characters a message quotes of a text at most."""


class ScriptError(RefusedError):
    """Refuse a file whose text no run can take; `place` names the spot."""

    def __init__(self, message: str, *, hint: str, place: Place) -> None:
        super().__init__(message, hint=hint, state="Nothing was changed.", place=place)


@dataclass(frozen=True, slots=True)
class SqlText:
    """Hold the text of a file without its byte order mark; `shift` is how many characters that took off the front."""

    file: str
    text: str
    shift: int = 0

    def place(self, offset: int) -> Place:
        """Find line, column and source line of a character of the text; the column does not count a byte order mark."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", start)
        source = self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
        return Place(self.file, self.text.count("\n", 0, offset) + 1, offset - start + 1, source)

    def error(self, offset: int, message: str, *, hint: str) -> ScriptError:
        """Make the error that points at a character of the text."""
        return ScriptError(message, hint=hint, place=self.place(offset))


def shorten(message: str, rest: str) -> str:
    """Quote in a message the beginning of a line where it quotes the rest of the text, as it does for what is not closed."""
    beginning = rest.partition("\n")[0][:_QUOTED].rstrip()
    return message.replace(rest, beginning if beginning == rest.rstrip() else f"{beginning} …") if rest else message


def blank(text: str) -> str:
    """Make as many characters and ends of lines, so that what follows the text keeps its place."""
    lines, last = text.count("\n"), len(text) - text.rfind("\n") - 1
    return " " * (len(text) - lines - last) + "\n" * lines + " " * last


def take_text(text: str, file: str) -> SqlText:
    """Take a file's text as it was read, with or without a byte order mark."""
    if text.startswith(BYTE_ORDER_MARK):
        return SqlText(file, text[1:], 1)
    return SqlText(file, text)
