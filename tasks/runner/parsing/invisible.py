"""Characters that an editor does not show, or shows as a space: PostgreSQL takes most of them for a part of a name.

Rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS, characters: https://trojansource.codes
"""

from __future__ import annotations

import re
import unicodedata

from tasks.postgres.tokens import BLANKS, STRINGS, tokenize
from tasks.runner.errors import Place
from tasks.runner.parsing.script import Statement

_HIDDEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_BLANK_LETTERS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Characters of other categories that look like nothing or like a space."""
_SELECTORS = range(0xFE00, 0xFE10)
_CANDIDATE = re.compile(r"[^\t\n\v\f\r -~]")
_MOST_NAMED = 3


def list_invisible(text: str, shown: str, statement: Statement) -> list[str]:
    """Return a line for each of the first invisible characters of a statement of a file's text, outside strings and comments."""
    found = []
    for at in find_invisible(statement.text):
        before = text[: statement.offset + at]
        line = before.rpartition("\n")[2].removeprefix("\ufeff" if "\n" not in before else "")
        found.append(describe_invisible(text[statement.offset + at], Place(shown, before.count("\n") + 1, len(line) + 1)))
    return found


def find_invisible(text: str) -> list[int]:
    """Return the places of the first invisible characters of a text, outside strings and comments."""
    if _CANDIDATE.search(text) is None:
        return []
    found: list[int] = []
    for token in tokenize(text, skip=BLANKS | STRINGS):
        if not token.text.isprintable() or not token.text.isascii():
            found += [token.start + at for at, character in enumerate(token.text) if is_invisible(character)]
        if len(found) >= _MOST_NAMED:
            break
    return found[:_MOST_NAMED]


def is_invisible(character: str) -> bool:
    """Return True if an editor does not show a character, or shows it as a space, and SQL does not read it as one."""
    if character in "\t\n\v\f\r ":
        return False
    return unicodedata.category(character) in _HIDDEN or character in _BLANK_LETTERS or ord(character) in _SELECTORS


def describe_invisible(character: str, place: Place) -> str:
    """Return a line that names an invisible character with its code point and its place."""
    name = unicodedata.name(character, "")
    named = f"U+{ord(character):04X}{f' ({name})' if name else ''}"
    return f"{place} contains the invisible character {named} in column {place.column}: delete it, or write a space"
