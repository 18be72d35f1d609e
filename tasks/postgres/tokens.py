r"""The tokens of SQL text, by the rules of PostgreSQL's scanner with standard_conforming_strings on, its default.

Rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html, and where the manual is silent
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/parser/scan.l

Every character of a text belongs to exactly one token. A text need not be valid: a string, a quoted identifier, a dollar-quoted
string or a block comment that is not closed extends to the end of the text, and a character that can begin no token, such as
the backslash of a psql command, is a token of kind "other".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "space",
    "line_comment",
    "block_comment",
    "string",  # 'it''s'
    "escape_string",  # E'it\'s'
    "unicode_string",  # U&'\00e4'; UESCAPE is a word of its own
    "bit_string",  # B'01' or X'1F'
    "dollar_string",  # $tag$it's$tag$
    "identifier",  # "a name"
    "unicode_identifier",  # U&"\00e4"
    "number",
    "parameter",  # $1
    "word",  # a keyword or an identifier without quotes
    "operator",
    "punctuation",  # one of ( ) [ ] , ; : . or :: := ..
    "other",
]


class Token(NamedTuple):
    """A token and its place: `text` is the source from the character `start` to before the character `end`."""

    kind: Kind
    text: str
    start: int
    end: int


SPACE: frozenset[Kind] = frozenset({"space"})
COMMENTS: frozenset[Kind] = frozenset({"line_comment", "block_comment"})
BLANKS = SPACE | COMMENTS
NAMES: frozenset[Kind] = frozenset({"word", "identifier", "unicode_identifier"})
STRINGS: frozenset[Kind] = frozenset({"string", "escape_string", "unicode_string", "bit_string", "dollar_string"})

# Negated classes: Python takes milliseconds to compile a class that lists all characters beyond ASCII.
_FIRST = r"[^\x00-@\[-^`{-\x7f]"
_LATER = r"[^\x00-\#%-/:-@\[-^`{-\x7f]"
_TAG_LATER = r"[^\x00-/:-@\[-^`{-\x7f]"
WORD = rf"{_FIRST}{_LATER}*"
"""The pattern of a word."""
NAME = rf'(?:"(?:[^"]|"")*"|{WORD})'
"""The pattern of a name, with or without quotes."""

_DIGITS = "[0-9](?:_?[0-9])*"
# Strings that only a line break separates are one: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS
_CONTINUED = r"(?:[ \t\f\v]|--[^\r\n]*)*+[\r\n](?:[ \t\r\n\f\v]|--[^\r\n]*[\r\n])*+"
_PLAIN = r"'(?:[^']++|'')*+(?:'|\Z)"
_ESCAPED = r"'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)"
_QUOTED = r'"(?:[^"]++|"")*+(?:"|\Z)'
_TOKEN = re.compile(
    rf"""
      (?P<space>              [ \t\r\n\f\v]++ )
    | (?P<escape_string>      [eE]{_ESCAPED}(?:{_CONTINUED}{_ESCAPED})*+ )
    | (?P<unicode_string>     [uU]&{_PLAIN}(?:{_CONTINUED}{_PLAIN})*+ )
    | (?P<unicode_identifier> [uU]&{_QUOTED} )
    | (?P<bit_string>         [bBxX]{_PLAIN}(?:{_CONTINUED}{_PLAIN})*+ )
    | (?P<word>               {_FIRST}{_LATER}*+ )
    | (?P<line_comment>       --[^\r\n]*+ )
    | (?P<block_comment>      /\* )
    | (?P<number>             0[xX](?:_?[0-9a-fA-F])++ | 0[oO](?:_?[0-7])++ | 0[bB](?:_?[01])++
                            | (?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})? )
    | (?P<punctuation>        ::|:=|\.\.|[()\[\],;:.] )
    | (?P<string>             {_PLAIN}(?:{_CONTINUED}{_PLAIN})*+ )
    | (?P<identifier>         {_QUOTED} )
    | (?P<dollar_string>      \$(?:{_FIRST}{_TAG_LATER}*)?\$ )
    | (?P<parameter>          \$[0-9]++ )
    | (?P<operator>           (?:(?!--|/\*)[~!@\#^&|`?+\-*/%<>=])++ )
    | (?P<other>              . )
    """,
    re.VERBOSE | re.DOTALL,
)
_MEASURED: frozenset[Kind] = frozenset({"block_comment", "dollar_string", "operator"})
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_MAY_END_WITH_SIGN = re.compile(r"[~!@#%^&|`?]")


def tokenize(text: str, start: int = 0, *, skip: frozenset[Kind] = frozenset()) -> Iterator[Token]:
    """Yield the tokens of a text from a character outside strings and comments on, without those of the kinds in `skip`.

    The texts of all tokens, joined, are the text from `start` on.
    """
    position = start
    # Called for every token of every file: a bound method, and tuple.__new__ in place of the slower Token().
    match_token, new = _TOKEN.match, tuple.__new__
    while match := match_token(text, position):
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # the groups are named by the kinds; cast() is a call per token
        begin, position = match.span()
        if kind in _MEASURED:
            position = begin + _measure(kind, match)
        if kind not in skip:
            yield new(Token, (kind, text[begin:position], begin, position))


def is_closed(token: Token) -> bool:
    """Return False for a comment, string or quoted identifier that extends to the end of the text because its end is missing."""
    return next(tokenize(f"{token.text}\n")).end == len(token.text)


def strip_comments(text: str) -> str:
    """Replace each comment of a text by a space, also in dollar-quoted strings, which usually contain code."""
    if "--" not in text and "/*" not in text:
        return text
    return "".join(_strip_comment(token) for token in tokenize(text))


def read_string(token: Token) -> str:
    r"""Return the value of a string token.

    Of the escapes in an E'' string only `\\` and `\'` are read, the only ones that the server writes; those of U&'' are kept.
    """
    if token.kind == "dollar_string":
        mark = token.text[: token.text.index("$", 1) + 1]
        return token.text[len(mark) :].removesuffix(mark)
    body = token.text[token.text.index("'") + 1 :].removesuffix("'")
    if token.kind == "escape_string":
        return re.sub(r"\\([\\'])|''", lambda match: match[1] or "'", body)
    return body.replace("''", "'")


def _strip_comment(token: Token) -> str:
    if token.kind in COMMENTS:
        return " "
    if token.kind != "dollar_string":
        return token.text
    mark = token.text[: token.text.index("$", 1) + 1]
    body = token.text[len(mark) :]
    closing = mark if body.endswith(mark) else ""
    return mark + strip_comments(body.removesuffix(mark)) + closing


def _measure(kind: Kind, match: re.Match[str]) -> int:
    """Return the length of a token of which the expression matches the beginning, or too much."""
    text, (start, end) = match.string, match.span()
    if kind == "operator":
        return _measure_operator(match[0])
    if kind == "block_comment":
        return _end_block(text, end) - start
    closing = text.find(match[0], end)
    return (closing + end - start if closing >= 0 else len(text)) - start


def _end_block(text: str, position: int) -> int:
    """Return the end of a block comment, which may contain others, from the end of its opening on."""
    depth = 1
    while depth:
        edge = _BLOCK_EDGE.search(text, position)
        if edge is None:
            return len(text)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _measure_operator(text: str) -> int:
    """Return the length of the operator that a run of operator characters begins with.

    One of several characters can end in + or - only if it contains one of ~ ! @ # % ^ & | ` ?.
    """
    if len(text) > 1 and text[-1] in "+-" and not _MAY_END_WITH_SIGN.search(text):
        return max(len(text.rstrip("+-")), 1)
    return len(text)
