r"""The places of the statements of a large file: one pass over its bytes that keeps none of them.

The rules are those of tasks/postgres/tokens.py. In UTF-8 no byte of a longer character is one of ASCII, so that bytes are
scanned as characters would be. What may be cut at the end of a block is scanned again together with the next block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.postgres.tokens import BLANKS, tokenize
from tasks.runner.parsing.large.text import BLOCK, LargeText
from tasks.runner.parsing.unparsed import count_depth

_FIRST = rb"[^\x00-@\[-^`{-\x7f]"
_LATER = rb"[^\x00-\#%-/:-@\[-^`{-\x7f]"
_TAG_LATER = rb"[^\x00-/:-@\[-^`{-\x7f]"
_CUT = rb"(?!\Z)"
"""What a token that may be cut must not be followed by: the end of what has been read."""
_SPACE = rb"[ \t\r\n\f\v]++"
_LINE_COMMENT = rb"--[^\r\n]*+" + _CUT
_SKIPPED = re.compile(rb"(?:" + _SPACE + rb"|;|" + _LINE_COMMENT + rb")*+")
_BODY = re.compile(
    rb"(?:[^\x00-\x1f\"$'\-/0-9;\\A-Za-z_\x80-\xff]++|" + _SPACE + rb"|(?![eE]')" + _FIRST + _LATER + rb"*+" + _CUT
    + rb"|[0-9]++" + _CUT + rb"|'(?:[^']++|'')*+'" + _CUT + rb'|"[^"]*+"' + _CUT + rb"|" + _LINE_COMMENT
    + rb"|-(?![-]|\Z)|/(?![*]|\Z))*+",
    re.DOTALL,
)  # fmt: skip
"""What certainly belongs to a statement and is complete."""
_WORD = re.compile(_FIRST + _LATER + rb"*+")
_TAG = re.compile(rb"\$(?:" + _FIRST + _TAG_LATER + rb"*+)?\$")
_PARAMETER = re.compile(rb"\$[0-9]*+")
_ESCAPED_END = re.compile(rb"(?:[^'\\]++|\\.|'')*+'" + _CUT, re.DOTALL)
_CONTINUED = re.compile(rb"(?:[ \t\f\v]|--[^\r\n]*)*+[\r\n](?:[ \t\r\n\f\v]|--[^\r\n]*[\r\n])*+'")
_ESCAPED = re.compile(rb"(?:[^'\\]++|\\.|'')*+", re.DOTALL)
_DIGITS = re.compile(rb"[0-9]++")
_LINE = re.compile(rb"[^\r\n]*+")
_EDGE = re.compile(rb"/\*|\*/")
_REST_OF_LINE = re.compile(rb"[ \t\r\f\v]*+(?:--[^\n]*)?\n")
_END_OF_DATA = re.compile(rb"\n\\\.\r?\n")
_LONGEST_TAG = 256
_LONGEST_GAP = 16 * 1024
_CAREFUL = frozenset({b"create", b"copy"})
"""The first words of statements that may contain semicolons, or be followed by data."""


class StatementSpan(NamedTuple):
    """A statement, from its first byte to before its semicolon, with the range of the data that follows a COPY.

    `fault` is the place of what ends the scan: a backslash outside of strings, or text after a COPY in its line.
    """

    start: int
    end: int
    word: bytes
    """Its first word, in lower case."""
    after: int
    """Where what follows it begins: behind its semicolon, or behind the data."""
    data: tuple[int, int] | None = None
    fault: int | None = None


def scan_statements(text: LargeText) -> Iterator[StatementSpan]:
    """Yield the statements of a file."""
    return _Scanner(text).scan()


class _Scanner:
    """The part of a file that has been read and not scanned yet; `_position` is in `_buffer`, `_base` the first byte of that."""

    def __init__(self, text: LargeText) -> None:
        self._text = text
        self._buffer = b""
        self._base = self._position = self._read = 0
        self._is_last = False

    def scan(self) -> Iterator[StatementSpan]:
        """Yield the statements."""
        self._more()
        if self._buffer.startswith(b"\xef\xbb\xbf"):
            self._position = 3
        while self._skip():
            piece = self._scan_statement()
            yield piece
            if piece.fault is not None:
                return

    def _more(self) -> bool:
        """Read the next block; return False at the end of the file, where a line feed is added once."""
        if self._is_last:
            return False
        self._base, rest = self._base + self._position, self._buffer[self._position :]
        end = min(self._read + BLOCK, self._text.size)
        self._buffer = rest + self._text.read(self._read, end)
        self._read, self._position = end, 0
        if end == self._text.size:
            self._buffer, self._is_last = self._buffer + b"\n", True
        return True

    @property
    def _place(self) -> int:
        """Return the place in the file, which the added line feed does not extend."""
        return min(self._base + self._position, self._text.size)

    def _see(self, count: int) -> bytes:
        """Return the following bytes, as many as there are."""
        while len(self._buffer) - self._position < count and self._more():
            pass
        return self._buffer[self._position : self._position + count]

    def _skip(self) -> bool:
        """Skip to the first token of a statement; return False at the end."""
        while True:
            match = _SKIPPED.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            following = self._see(2)
            if following == b"/*":
                self._skip_block()
            elif following == b"--":
                self._skip_line()
            elif following[:1] not in (b"", b" ", b"\t", b"\r", b"\n", b"\f", b"\v", b";"):
                return True
            elif not following:
                return False

    def _scan_statement(self) -> StatementSpan:
        start = self._place
        self._see(_LONGEST_TAG)
        match = _WORD.match(self._buffer, self._position)
        word = match[0].lower() if match else b""
        if word in _CAREFUL:
            return self._scan_carefully(start, word)
        found = self._find_semicolon()
        return StatementSpan(
            start, self._place, word, self._place + 1 if found else self._place, fault=None if found else self._find_fault()
        )

    def _find_fault(self) -> int | None:
        return self._place if self._see(1) == b"\\" else None

    def _scan_carefully(self, start: int, word: bytes) -> StatementSpan:
        depth = _Depth()
        taken = start
        while True:
            found = self._find_semicolon()
            end = self._place
            fault = None if found else self._find_fault()
            depth.add(self._text.read(taken, end).decode())
            if fault is not None:
                return StatementSpan(start, end, word, end, fault=fault)
            if not found or not depth.is_open:
                break
            self._position += 1
            taken = self._place
        if not depth.reads_client:
            return StatementSpan(start, end, word, min(end + 1, self._text.size))
        return self._scan_data(start, end, word)

    def _scan_data(self, start: int, end: int, word: bytes) -> StatementSpan:
        r"""Scan the data after the semicolon of a COPY: the lines up to `\.`, or all that follow."""
        if self._place < self._text.size:
            self._position += 1
        while (match := _REST_OF_LINE.match(self._buffer, self._position)) is None and self._more():
            pass
        if match is None:
            if self._see(1) in (b"", b"\n"):
                return StatementSpan(start, end, word, self._text.size, (self._text.size, self._text.size))
            return StatementSpan(start, end, word, end, fault=self._place)
        self._position = match.end()
        first = self._place
        # The line feed before each line is a part of what is searched for.
        self._position -= 1
        while True:
            data = self._find_end_of_data()
            if data is not None:
                last = self._base + data.start() + 1
                self._position = data.end()
                return StatementSpan(start, end, word, self._place, (first, last))
            self._position = max(self._buffer.rfind(b"\n", self._position, len(self._buffer) - 1), self._position)
            if not self._more():
                self._position = len(self._buffer)
                return StatementSpan(start, end, word, self._text.size, (first, self._text.size))

    def _find_end_of_data(self) -> re.Match[bytes] | None:
        # Ten times as fast as to search for the expression.
        found = self._buffer.find(b"\n\\.", self._position)
        while found >= 0:
            match = _END_OF_DATA.match(self._buffer, found)
            if match is not None:
                return match
            found = self._buffer.find(b"\n\\.", found + 1)
        return None

    def _find_semicolon(self) -> bool:
        """Move to the next semicolon outside of strings and comments; return False at a backslash and at the end of the text."""
        while True:
            match = _BODY.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            following = self._see(2)
            first = following[:1]
            if first == b";":
                return True
            if first in (b"", b"\\"):
                return False
            if following == b"/*":
                self._skip_block()
            elif following == b"--":
                self._skip_line()
            elif first in (b"'", b'"'):
                self._position += 1
                self._skip_quoted(first)
            elif following in (b"e'", b"E'"):
                self._skip_escaped()
            elif first == b"$":
                self._skip_dollars()
            else:
                self._skip_other()

    def _skip_other(self) -> None:
        """Skip a word or number that may have been cut, or one character."""
        while True:
            match = _WORD.match(self._buffer, self._position) or _DIGITS.match(self._buffer, self._position)
            if match is None:
                self._position += 1
                return
            if match.end() < len(self._buffer) or not self._more():
                self._position = match.end()
                return

    def _skip_line(self) -> None:
        while (match := _LINE.match(self._buffer, self._position)) and match.end() == len(self._buffer):
            self._position = match.end()
            if not self._more():
                return
        self._position = match.end() if match else self._position

    def _skip_block(self) -> None:
        """Skip a block comment, which may contain others."""
        self._position, depth = self._position + 2, 1
        while depth:
            edge = _EDGE.search(self._buffer, self._position)
            if edge is not None:
                depth += 1 if edge[0] == b"/*" else -1
                self._position = edge.end()
                continue
            self._position = max(len(self._buffer) - 1, self._position)
            if not self._more():
                self._position = len(self._buffer)
                return

    def _skip_quoted(self, quote: bytes) -> None:
        """Skip to behind the quote that closes a string or a name; a doubled one does not."""
        while True:
            found = self._buffer.find(quote, self._position)
            if found < 0:
                self._position = len(self._buffer)
                if not self._more():
                    return
                continue
            self._position = found
            if self._see(2) != quote * 2:
                self._position += 1
                return
            self._position += 2

    def _skip_escaped(self) -> None:
        """Skip a string with escapes, and those that continue it, which only a line break separates."""
        self._position += 2
        while True:
            match = _ESCAPED_END.match(self._buffer, self._position)
            if match is None:
                if not self._more_of_string():
                    return
                continue
            self._position = match.end()
            while len(self._buffer) - self._position < _LONGEST_GAP and self._more():
                pass
            continued = _CONTINUED.match(self._buffer, self._position)
            if continued is None:
                return
            self._position = continued.end()

    def _more_of_string(self) -> bool:
        """Skip what is certainly inside a string with escapes, and read on; return False at the end of the text."""
        inside = _ESCAPED.match(self._buffer, self._position)
        self._position = inside.end() if inside else self._position
        if self._more():
            return True
        self._position = len(self._buffer)
        return False

    def _skip_dollars(self) -> None:
        """Skip a dollar-quoted string, a parameter, or a dollar."""
        self._see(_LONGEST_TAG)
        tag = _TAG.match(self._buffer, self._position)
        if tag is None:
            match = _PARAMETER.match(self._buffer, self._position)
            self._position = match.end() if match else self._position + 1
            return
        self._position = tag.end()
        while (found := self._buffer.find(tag[0], self._position)) < 0:
            self._position = max(len(self._buffer) - len(tag[0]) + 1, self._position)
            if not self._more():
                self._position = len(self._buffer)
                return
        self._position = found + len(tag[0])


class _Depth:
    """Whether a semicolon ends a statement that begins with CREATE or COPY, by its tokens up to there."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._depth = 0
        self.reads_client = False
        """Whether it is a COPY from the client."""

    @property
    def is_open(self) -> bool:
        """Return True inside the parentheses of a rule, and in the body of a function."""
        return self._depth > 0 and self._words[:1] == ["create"]

    def add(self, text: str) -> None:
        """Add the text up to the next semicolon."""
        for token in tokenize(text, skip=BLANKS):
            word = token.text.lower()
            if self._words[:1] == ["copy"]:
                self._depth += {"(": 1, ")": -1}.get(word, 0)
                self.reads_client |= self._depth == 0 and self._words[-1] == "from" and word in ("stdin", "stdout")
            else:
                self._depth += count_depth(self._words, word, self._depth)
            self._words.append(word)
