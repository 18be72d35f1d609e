"""The statements of a text that need not be valid, with what a secret can be in: their tokens, comments and data for COPY."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from tasks.postgres.tokens import BLANKS, COMMENTS, NAMES, SPACE, STRINGS, Token, is_closed, read_string, tokenize

_CONTINUED = re.compile(r"'[ \t\f\v]*(?:--[^\r\n]*)?[\r\n]\s*'")
"""What separates the parts of a string that continues on another line."""
_ASSIGNED = re.compile(r"\w\s*=\s*('[^']*'|[^\s']+)")
"""The values in a connection string."""
_HEXADECIMAL = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_UNICODE = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")
_END_OF_DATA = re.compile(r"^\\\.\r?$", re.MULTILINE)
_AFTER_STRING = frozenset({"as", "uescape", "from", "then", "and", "or", "end", "else", "loop"})
"""Words that may follow a string without a space; any other shows that the quotes of a text do not match."""


@dataclass(slots=True)
class Code:
    """The tokens of a text without its space, and its comments apart; those that only space separates are in one group."""

    tokens: list[Token] = field(default_factory=list)
    comments: list[list[Token]] = field(default_factory=list)
    _after_comment: bool = False

    def add(self, token: Token) -> None:
        """Add a token that is not space."""
        if token.kind not in COMMENTS:
            self.tokens.append(token)
        elif self._after_comment:
            self.comments[-1].append(token)
        else:
            self.comments.append([token])
        self._after_comment = token.kind in COMMENTS

    @property
    def mismatched(self) -> bool:
        """Return True if a word follows a string without a space, or the last quote is missing: quotes do not match."""
        if self.tokens and self.tokens[-1].kind in STRINGS | NAMES and not is_closed(self.tokens[-1]):
            return True
        return any(
            first.kind in STRINGS and first.end == second.start and _is_remarkable(second)
            for first, second in pairwise(self.tokens)
        )


@dataclass(slots=True)
class Piece(Code):
    """A statement with the data of its COPY, or a line for psql."""

    start: int = 0
    end: int = 0
    data: tuple[int, int] = (0, 0)
    for_psql: bool = False


def divide(text: str) -> Iterator[Piece]:
    """Yield the statements of a text, and the lines for psql between them."""
    position = 0
    while position < len(text):
        piece = _take(text, position)
        yield piece
        position = piece.end


def _take(text: str, position: int) -> Piece:
    """Return what begins at a position and ends with a semicolon outside parentheses and outside a body without quotes."""
    piece, depth, blocks = Piece(start=position, end=len(text)), 0, 0
    for token in tokenize(text, position, skip=SPACE):
        if token.text == "\\" and not piece.tokens:
            return _take_line(text, piece, token.start)
        piece.add(token)
        if token.kind == "word":
            blocks = _count_blocks(token.text.lower(), piece.tokens, blocks)
        elif token.text in ("(", ")"):
            depth = depth + 1 if token.text == "(" else max(depth - 1, 0)
        elif token.text == ";" and not depth and not blocks:
            piece.end = token.end
            return _take_data(text, piece)
    return piece


def _count_blocks(word: str, tokens: list[Token], blocks: int) -> int:
    """Return how many blocks of a body without quotes (BEGIN ATOMIC … END) are open after a word."""
    if word == "atomic" and len(tokens) > 1 and tokens[-2].text.lower() == "begin":
        return 1
    if not blocks or word not in ("case", "end"):
        return blocks
    return blocks + 1 if word == "case" else blocks - 1


def _take_line(text: str, piece: Piece, start: int) -> Piece:
    end = text.find("\n", start)
    piece.end, piece.for_psql = end + 1 if end >= 0 else len(text), True
    for token in tokenize(text[start : piece.end].rstrip("\r\n"), skip=SPACE):
        piece.tokens.append(move(token, start))
    return piece


def _take_data(text: str, piece: Piece) -> Piece:
    """Add the data of a COPY … FROM stdin, in which quotes have no meaning."""
    words = [token.text.lower() for token in piece.tokens if token.kind == "word"]
    if words[:1] == ["copy"] and ("from", "stdin") in pairwise(words) and (start := text.find("\n", piece.end) + 1):
        end = _END_OF_DATA.search(text, start)
        piece.data = (start, end.start() if end else len(text))
        piece.end = end.end() if end else len(text)
    return piece


def move(token: Token, start: int) -> Token:
    """Return a token of a part of a text that begins at `start`, with its place in the whole text."""
    return Token(token.kind, token.text, token.start + start, token.end + start)


def _is_remarkable(token: Token) -> bool:
    return token.kind in STRINGS or (token.kind in ("word", "number") and token.text.lower() not in _AFTER_STRING)


def join(tokens: Iterable[Token], *, inside: bool = False) -> str:
    """Return the words of a statement and of its literals; parts that || joins are one word."""
    joined = " ".join(
        f"\0{_read_words(token, inside=inside)}\0" if token.kind in STRINGS else read_value(token) for token in tokens
    )
    return joined.replace("\0 || \0", "").replace("\0", " ")


def _read_words(token: Token, *, inside: bool) -> str:
    """Return the value of a literal; without its comments if it may be code."""
    value = read_value(token)
    return value if inside or token.kind != "dollar_string" else join(tokenize(value, skip=BLANKS), inside=True)


def read_value(token: Token) -> str:
    """Return the value of a literal or the name in quotes, with the escapes of U& and the line ends between parts resolved."""
    if token.kind not in STRINGS:
        text = token.text.strip('"')
    else:
        text = token.text if token.kind == "dollar_string" else _CONTINUED.sub("", token.text)
        text = read_string(Token(token.kind, text, 0, len(text)))
    if token.kind == "escape_string":
        return _HEXADECIMAL.sub(lambda match: chr(min(int(match[1] or match[2] or match[3], 16), 0x10FFFF)), text)
    if token.kind not in ("unicode_string", "unicode_identifier"):
        return text
    return _UNICODE.sub(lambda match: chr(min(int(match[1] or match[2], 16), 0x10FFFF)), text)


def list_values(token: Token) -> Iterator[str]:
    """Yield what a message of the server may quote of a literal: its value, and those of the literals within."""
    value = read_value(token)
    yield token.text
    yield value
    if token.kind in STRINGS and "'" in value:
        yield from (read_value(each) for each in tokenize(value) if each.kind in STRINGS)
    if token.kind in STRINGS and "=" in value:
        yield from (match[1].strip("'") for match in _ASSIGNED.finditer(value))
