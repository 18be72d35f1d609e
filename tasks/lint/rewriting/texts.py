"""Cut the text of a file into its statements, and an ALTER TABLE into its commands, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from tasks.lint.rewriting.steps import NotRewritableError
from tasks.postgres.tokens import BLANKS, COMMENTS, Token, tokenize
from tasks.runner.parsing.source_text import BYTE_ORDER_MARK

_TRANSACTION = re.compile(r"(?:begin|start|commit|end|transaction|work|;)", re.IGNORECASE)
_HEADER_LINE = re.compile(r"\s*(?:--\s*(?:migration|description|migrate)\s*:.*)?\s*", re.IGNORECASE)
_OPENING, _CLOSING = frozenset("(["), frozenset(")]")


class PlacedStatement(Protocol):
    """A statement with its place in a text."""

    @property
    def text(self) -> str:
        """Return its text without its semicolon."""

    @property
    def offset(self) -> int:
        """Return the character at which the text begins."""


@dataclass(frozen=True, slots=True)
class CutFile:
    """A text as the comments at its top, and one piece per statement with the comments before it and its semicolon."""

    header: str
    pieces: tuple[str, ...]
    leading: tuple[str, ...]
    """The comments before each statement, which its piece begins with."""
    rest: str
    """The comments after the last statement."""


def cut_file(text: str, statements: Sequence[PlacedStatement]) -> CutFile:
    """Return the parts of a text without its own BEGIN and COMMIT; raises NotRewritableError if there is something else."""
    header_end = _find_header_end(text[: statements[0].offset] if statements else text)
    pieces, comments, start = [], [], header_end
    for number, statement in enumerate(statements):
        following = statements[number + 1].offset if number + 1 < len(statements) else len(text)
        end = _find_end(text, statement.offset + len(statement.text), following)
        leading = _strip_transactions(text[start : statement.offset])
        comments.append(leading)
        body = text[statement.offset : end]
        pieces.append(leading + (body if body.rstrip().endswith(";") or ";" in body[len(statement.text) :] else f"{body};"))
        start = end
    header = _strip_transactions(text[:header_end].removeprefix(BYTE_ORDER_MARK))
    return CutFile(header, tuple(pieces), tuple(comments), _strip_transactions(text[start:]))


def _find_header_end(leading: str) -> int:
    """Return where the comments about the file end: after the last blank line or header line before the first statement."""
    end = position = 0
    for line in leading.splitlines(keepends=True):
        position += len(line)
        if line.endswith("\n") and _HEADER_LINE.fullmatch(line.removeprefix(BYTE_ORDER_MARK)):
            end = position
    return end


def _find_end(text: str, end: int, limit: int) -> int:
    """Return where a statement ends with its semicolon, and with a comment on the same line."""
    for token in tokenize(text[end:limit]):
        if token.text == ";":
            end += token.end
            break
        if token.kind not in BLANKS:
            return end
    else:
        return end
    line_end = text.find("\n", end, limit)
    rest = text[end : limit if line_end < 0 else line_end + 1]
    closed = line_end >= 0 or limit == len(text)
    return end + len(rest) if closed and all(token.kind in BLANKS for token in tokenize(rest)) else end


def _strip_transactions(text: str) -> str:
    """Return comments without the BEGIN and COMMIT between them."""
    kept = []
    for token in tokenize(text, skip=frozenset()):
        if token.kind in BLANKS:
            kept.append(token.text)
        elif not _TRANSACTION.fullmatch(token.text):
            raise NotRewritableError(f"the file contains {token.text[:40]!r} between its statements")
    return "".join(kept)


@dataclass(frozen=True, slots=True)
class CutCommand:
    """A command of an ALTER TABLE: its text, the comments before it, and the character of the statement at which it begins."""

    text: str
    comments: str
    offset: int

    @property
    def whole(self) -> str:
        """Return the text with the comments before it."""
        return "".join(f"{line}\n    " for line in self.comments.splitlines()) + self.text


def cut_alter_table(text: str, count: int) -> tuple[str, tuple[CutCommand, ...]]:
    """Return the beginning of an ALTER TABLE, up to the name of the table, and its commands.

    Raises NotRewritableError if they are not `count`.
    """
    tokens = list_tokens(text)
    place = 2
    while tokens[place].text.lower() in ("if", "exists", "only"):
        place += 1
    while tokens[place + 1].text == ".":
        place += 2
    place += 2 if tokens[place + 1].text == "*" else 1
    head = text[: tokens[place - 1].end]
    borders = [token.end for token in list_outer(tokens[place:]) if token.text == ","]
    limits = [len(head), *borders, len(text) + 1]
    commands = tuple(_read_command(text, start, end) for start, end in pairwise(limits))
    if len(commands) != count:
        raise NotRewritableError("its commands cannot be separated")
    return head, commands


def _read_command(text: str, start: int, end: int) -> CutCommand:
    part = text[start : end - 1]
    tokens = list_tokens(part)
    comments = [token for token in tokenize(part) if token.kind in COMMENTS]
    begin = tokens[0].start
    leading = "".join(f"{token.text}\n" for token in comments)
    return CutCommand(part[begin : tokens[-1].end], leading, start + begin)


def list_outer(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens outside parentheses and brackets."""
    depth = 0
    for token in tokens:
        if token.text in _CLOSING:
            depth -= 1
        if depth == 0 and token.text not in _OPENING:
            yield token
        if token.text in _OPENING:
            depth += 1


def list_tokens(text: str) -> list[Token]:
    """Return the tokens of a text without space and comments."""
    return [token for token in tokenize(text) if token.kind not in BLANKS]


def slice_bytes(text: str, start: int, end: int | None = None) -> str:
    """Return a part of a text between two locations of its parse tree, which are counted in bytes."""
    return text.encode()[start:end].decode()
