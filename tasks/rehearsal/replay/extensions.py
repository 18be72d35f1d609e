"""Statements that need an extension which the scratch server lacks, found by what is missing according to the server's error.

A statement is skipped if it creates such an extension, or fails because an object is missing whose name belongs to the extension
or occurs in a statement that was skipped before. Any other missing object is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tasks.postgres.extension_parts import EXTENSION_PARTS
from tasks.runner.errors import RunnerError

_MISSING = frozenset({"42704", "42883", "42P01", "42703", "3F000", "0A000", "58P01"})
"""Undefined object, function, table, column, schema; an extension that is not available."""
_CREATES = re.compile(r'\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?("[^"]+"|[\w$]+)', re.IGNORECASE)
_HANDLES = re.compile(r'\b(?:create|alter|drop|on)\s+extension\s+(?:if\s+(?:not\s+)?exists\s+)?("[^"]+"|[\w$]+)', re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]+)"')
_BARE = (
    re.compile(r"\bfunction ([\w$.]+)\("),
    re.compile(r"\bcolumn ([\w$.]+) does not exist"),
    re.compile(r"\boperator does not exist: (.+)"),
)
_WORD = re.compile(r"[\w$]+")
_IN_EXTENSIONS = re.compile(
    r"(?:data )?type|operator|access method|schema|language|collation|text search|function|procedure|aggregate|relation"
)


def find_created(text: str) -> list[str]:
    """Return the extensions that a statement creates, those in a DO block included."""
    return [name.strip('"') for name in _CREATES.findall(text)]


def handles_extension(text: str, without: Sequence[str]) -> bool:
    """Return True if a statement creates, changes or drops one of these extensions by name."""
    return any(name.strip('"') in without for name in _HANDLES.findall(text))


def needs_left_out(error: RunnerError, without: Sequence[str], texts: Iterable[str]) -> bool:
    """Return True if an error is caused by excluded extensions, or by statements skipped before, given by their texts."""
    missing = find_missing(error)
    if any(belongs(name, without) for name in missing):
        return True
    return any(name in find_words(text) for text in texts for name in missing)


def belongs(name: str, extensions: Iterable[str]) -> bool:
    """Return True if the name of an object is that of one of the extensions, begins with it, or is a known name of its parts."""
    return any(
        name in (each.lower(), *EXTENSION_PARTS.get(each, "").split()) or name.startswith(f"{each.lower()}_")
        for each in extensions
    )


def may_belong(error: RunnerError, extensions: Iterable[str]) -> bool:
    """Return True if what is missing is an object as extensions have them, and the parts of one of these are not known."""
    if not find_missing(error) or _IN_EXTENSIONS.match(_read_reason(error)) is None:
        return False
    return any(each not in EXTENSION_PARTS for each in extensions)


def find_part(error: RunnerError) -> str:
    """Return the well-known extension of the object that is missing according to an error; "" if none is known."""
    missing = set(find_missing(error))
    return next((name for name, parts in EXTENSION_PARTS.items() if missing & {name, *parts.split()}), "")


def find_words(text: str) -> frozenset[str]:
    """Return the words of a text in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def find_missing(error: RunnerError) -> list[str]:
    """Return the names of what is missing: the first quoted name of the message, or the unquoted ones after known words.

    There are none for an error that is not about something missing.
    """
    if error.sqlstate not in _MISSING:
        return []
    reason = _read_reason(error)
    quoted = _QUOTED.search(reason)
    if quoted:
        return [quoted[1].rpartition(".")[2].lower()]
    for pattern in _BARE:
        match = pattern.search(reason)
        if match:
            words = _WORD.findall(match[1].lower())
            return words if "operator" in pattern.pattern else words[-1:]
    return []


def _read_reason(error: RunnerError) -> str:
    return error.message.partition("\n")[0]
