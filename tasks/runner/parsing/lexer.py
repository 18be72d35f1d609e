r"""SQL text → tokens, as psql cuts it: far enough to tell quotes and comments from the rest.

psql looks for semicolons and backslash commands outside quotes and comments, before the server sees anything.
The rules of quoting: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
    """Name a piece of text.

    `kind` is one of comment, quoted, word, command (a backslash) and other (a number, or one character).
    """

    kind: str
    start: int
    end: int


# Written by what is not in them: a class that names all beyond ASCII takes Python milliseconds to compile.
_NAME_BEGIN = r"[^\x00-@\[-^`{-\x7f]"
_TAG_GOES_ON = r"[^\x00-/:-@\[-^`{-\x7f]"
_WORD_GOES_ON = r"[^\x00-\#%-/:-@\[-^`{-\x7f]"
_TOKEN = re.compile(
    rf"""
    [ \t\r\n\f\v]*+ (?:
      (?P<comment> --[^\r\n]* )
    | (?P<block>   /\* )
    # Only E'' knows backslashes, and so does its continuation on the next line.
    # A quote that is not closed runs to the end.
    | (?P<escape>  [eE]'(?:[^'\\]++|\\.|'')*+(?:'|\Z)
                   (?: (?:[ \t\r\f\v]|--[^\r\n]*)*+ \n (?:[ \t\r\n\f\v]|--[^\r\n]*\n)*+
                       '(?:[^'\\]++|\\.|'')*+(?:'|\Z) )*+ )
    | (?P<quoted>  '(?:[^']++|'')*+(?:'|\Z) | "(?:[^"]++|"")*+(?:"|\Z) )
    | (?P<dollar>  \$(?:{_NAME_BEGIN}{_TAG_GOES_ON}*)?\$ )
    | (?P<word>    {_NAME_BEGIN}{_WORD_GOES_ON}* )
    | (?P<command> \\ )
    | (?P<other>   [0-9]+ | . )
    )""",
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


def cut(text: str, start: int = 0) -> Iterator[Token]:
    """Cut text into tokens from a place outside quotes on; space between them is left out.

    What is not closed (a quote, a block comment) runs to the end of the text.
    """
    position = start
    while match := _TOKEN.match(text, position):
        kind = str(match.lastgroup)
        begin, position = match.span(kind)
        if kind == "block":
            kind, position = "comment", _end_block(text, position)
        elif kind == "dollar":
            closing = text.find(match[kind], position)
            kind, position = "quoted", closing + len(match["dollar"]) if closing >= 0 else len(text)
        elif kind == "escape":
            kind = "quoted"
        yield Token(kind, begin, position)


def find_statement(text: str, start: int) -> int:
    """Find where the next statement begins, from a place outside quotes on; the end of the text if there is none."""
    for token in cut(text, start):
        if token.kind != "comment" and text[token.start] != ";":
            return token.start
    return len(text)


def trim(text: str) -> str:
    """Cut space and comments off the end of a statement; comments within it stay."""
    text = text.rstrip()
    if not text.endswith("*/") and "--" not in text[text.rfind("\n") + 1 :]:
        return text
    end = 0
    for token in cut(text):
        if token.kind != "comment":
            end = token.end
    return text[:end]


def _end_block(text: str, position: int) -> int:
    """Find the end of a block comment, which may hold others, from behind its opening."""
    depth = 1
    while depth:
        edge = _BLOCK_EDGE.search(text, position)
        if edge is None:
            return len(text)
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position
