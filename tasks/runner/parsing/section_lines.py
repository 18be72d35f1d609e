"""The lines of a file that may have the section marks of another tool, and the sections as a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tasks.postgres.section_marks import SectionMarks, compile_mark
from tasks.postgres.tokens import BLANKS, STRINGS, Kind, is_closed, tokenize

Direction = Literal["up", "down"]

NO_TRANSACTION = "-- migrate: no-transaction"
"""The directive that replaces another tool's mark."""

_FIRST = ("-", "#", "/", "@")
"""What a line with a mark begins with: a comment, of SQL or of the tool."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_LONG: frozenset[Kind] = STRINGS | {"block_comment", "identifier", "unicode_identifier"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file cannot be split as its tool would, and in which line."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of a file: both texts without the marks, where the down section begins, and why they may not be used."""

    tool: str
    up: str
    down: str
    down_line: int = 0
    """The line of the first down mark; 0 without one."""
    fault: Fault | None = None

    @property
    def has_up(self) -> bool:
        """Return True if the up section has a statement."""
        return has_statement(self.up)

    @property
    def has_down(self) -> bool:
        """Return True if the down section has a statement."""
        return has_statement(self.down)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a text: its number, its place, and whether it begins inside a string, a name or a block comment."""

    number: int
    start: int
    end: int
    text: str
    inside: bool

    @property
    def may_be_mark(self) -> bool:
        """Return True if the line begins as marks do, outside of a string, a name and a block comment."""
        return not self.inside and self.text.lstrip()[:1] in _FIRST

    def matches(self, pattern: str, *, loose: bool = False) -> bool:
        """Return True if the line is a mark of this pattern; if `loose`, letter case and space do not matter."""
        if not self.may_be_mark:
            return False
        compiled = compile_mark(pattern, loose=loose)
        return compiled is not None and compiled.fullmatch(self.text.rstrip("\r\n")) is not None

    def read_direction(self, marks: SectionMarks) -> Direction | None:
        """Return the direction of the section that the line begins, perhaps in another spelling; None if it is no mark."""
        if self.matches(marks.up, loose=True):
            return "up"
        return "down" if self.matches(marks.down, loose=True) else None


def read_lines(text: str, *, hash_comments: bool = False) -> Iterator[SourceLine]:
    """Yield the lines of a text; with `hash_comments`, a quote in a line that begins with # begins no string.

    A line ends where the server ends a line comment: a carriage return is enough.
    """
    sql = re.sub(r"(?m)^#[^\r\n]*", lambda match: " " * len(match[0]), text) if hash_comments else text
    spans = iter(
        (token.start, token.end)
        for token in tokenize(sql)
        if token.kind in _LONG and ("\n" in token.text or "\r" in token.text) and is_closed(token)
    )
    begin, finish = next(spans, (len(text), len(text)))
    position = number = 0
    while position < len(text):
        match = _LINE.match(text, position)
        end = match.end() if match else len(text)
        number += 1
        while finish <= position:
            begin, finish = next(spans, (len(text), len(text) + 1))
        yield SourceLine(number, position, end, text[position:end], begin < position)
        position = end


def has_statement(text: str) -> bool:
    """Return True if a text contains more than comments."""
    return any(token.text != ";" for token in tokenize(text, skip=BLANKS))


def terminate(text: str) -> str:
    """Return a text whose last statement ends with a semicolon: sections that are sent on their own may lack it."""
    return text if is_terminated(text) else f"{text.rstrip()}\n;\n"


def is_terminated(text: str) -> bool:
    """Return True if the last statement of a text ends with a semicolon, or if there is none."""
    last = ""
    for token in tokenize(text, skip=BLANKS):
        last = token.text
    return last in ("", ";")


def add_flag(text: str, *, no_transaction: bool) -> str:
    """Return the text of a section with the directive, if its tool runs it without a transaction."""
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{NO_TRANSACTION}{newline}{text}" if no_transaction and has_statement(text) else text


def find_fault(marks: SectionMarks, lines: Iterable[SourceLine], full: str) -> Fault | None:
    """Return the first line that means something which a migration cannot express."""
    replaces = not marks.variables_switch
    for line in lines:
        for pattern, reason in marks.faults:
            if line.matches(pattern):
                return Fault(line.number, reason)
        replaces = replaces or line.matches(marks.variables_switch)
        if replaces and marks.variables and marks.variables in full[line.start : line.end]:
            return Fault(line.number, f"contains {marks.variables}, which {marks.tool} replaces by a value")
    return None
