"""Texts for a database that cannot represent all characters: each function changes nothing where it can.

https://www.postgresql.org/docs/current/multibyte.html#MULTIBYTE-CONVERSIONS-SUPPORTED
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.postgres.encodings import SQL_ASCII, can_represent

if TYPE_CHECKING:
    from tasks.postgres.tokens import Token

_ESCAPED_HEAD = "-- migrate: stored with escapes, because the database cannot represent all characters\n"
"""Marks a stored text. Its form is that of a directive, so that no version of this tool runs the escaped text."""

_ESCAPE = re.compile(r"\\(?:\\|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_CODE = frozenset({"sql", "plpgsql"})


def fit_comments(text: str, encoding: str) -> str:
    """Return SQL in whose comments `?` replaces each character that a database cannot represent; all places stay the same.

    The comments in the body of a function or block in SQL or PL/pgSQL are included, other strings are data.
    """
    if can_represent(text, encoding):
        return text
    from tasks.postgres.tokens import tokenize

    pieces: list[str] = []
    statement: list[Token] = []
    for token in tokenize(text):
        statement.append(token)
        if token.text == ";":
            pieces += _fit_statement(statement, encoding)
            statement = []
    return "".join((*pieces, *_fit_statement(statement, encoding)))


def _fit_statement(statement: list[Token], encoding: str) -> Iterable[str]:
    from tasks.postgres.tokens import COMMENTS

    is_code = _contains_code([token.text.lower() for token in statement if token.kind not in ("space", *COMMENTS)])
    for token in statement:
        if token.kind in COMMENTS:
            yield "".join(character if can_represent(character, encoding) else "?" for character in token.text)
        elif token.kind == "dollar_string" and is_code:
            mark = token.text[: token.text.index("$", 1) + 1]
            body = token.text[len(mark) :]
            closing = mark if body.endswith(mark) else ""
            yield f"{mark}{fit_comments(body.removesuffix(mark), encoding)}{closing}"
        else:
            yield token.text


def _contains_code(words: list[str]) -> bool:
    if words[:1] != ["do"] and not (words[:1] == ["create"] and not {"function", "procedure"}.isdisjoint(words[1:5])):
        return False
    languages = [following for word, following in pairwise(words) if word == "language"]
    return not languages or languages[0].strip("'\"") in _CODE


def fit_name(text: str, encoding: str, limit: int = 0) -> str:
    """Return a name or message with an escape for each character that a database cannot store, cut to `limit` if that is not 0.

    A column's length counts bytes in a database with SQL_ASCII, else characters.
    """
    if not text.isascii() or "\0" in text:
        text = "".join(character if _can_store(character, encoding) else _escape(character) for character in text)
    if limit and encoding == SQL_ASCII:
        return text.encode()[:limit].decode(errors="ignore")
    return text[:limit] if limit else text


def store_text(text: str, encoding: str) -> str:
    """Return the text of a file as a database can store it, so that `restore_text` returns it unchanged."""
    if can_represent(text, encoding) and not text.startswith(_ESCAPED_HEAD):
        return text
    escaped = (
        r"\\" if character == "\\" else character if can_represent(character, encoding) else _escape(character)
        for character in text
    )
    return f"{_ESCAPED_HEAD}{''.join(escaped)}"


def restore_text(stored: str) -> str:
    """Return the text of a file from what `store_text` returned."""
    if not stored.startswith(_ESCAPED_HEAD):
        return stored
    return _ESCAPE.sub(
        lambda match: chr(int(match[1] or match[2], 16)) if match[1] or match[2] else "\\", stored[len(_ESCAPED_HEAD) :]
    )


def count_characters(text: str, position: int, encoding: str) -> int:
    """Return the number of characters before a place of which the server reports the position; it counts bytes in SQL_ASCII."""
    if encoding != SQL_ASCII:
        return position
    return len(text.encode()[:position].decode(errors="ignore"))


def _can_store(character: str, encoding: str) -> bool:
    return character != "\0" and not "\ud800" <= character <= "\udfff" and can_represent(character, encoding)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
