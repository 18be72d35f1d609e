"""The names that a text of SQL holds, and other small readings of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

NAME = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
CHAIN = rf"{NAME}(?:\.{NAME})*"
_TOKEN = re.compile(rf"(?P<text>'(?:[^']|'')*')|(?P<chain>{CHAIN})")
_PART = re.compile(NAME)
_BODY = re.compile(r"\nAS [$']")


def list_names(text: str) -> set[str]:
    """List the names in a text, `public.t.id` as itself and as all its beginnings and parts.

    Within a literal, only names of several parts count: a sequence is named so in a default.
    """
    return set(_find_names(text, literal=False))


def cut_body(definition: str) -> str:
    """Leave out the body of a routine where the server keeps it as a text, which it does not look into."""
    return _BODY.split(definition, maxsplit=1)[0]


def split_list(text: str) -> list[str]:
    """Split at the commas that stand outside of quotes and parentheses."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[(),]", text):
        sign = match[0]
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()] if text.strip() else []


def strip_arguments(name: str) -> str:
    """Return a routine's name without its arguments."""
    match = re.match(CHAIN, name)
    return match[0] if match else name


def last_part(name: str) -> str:
    """Return a name without its schema."""
    parts: list[str] = _PART.findall(name)
    return parts[-1]


def _find_names(text: str, *, literal: bool) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "text":
            yield from _find_names(match[0][1:-1].replace("''", "'"), literal=True)
            continue
        parts = _PART.findall(match[0])
        if literal and len(parts) == 1:
            continue
        yield from parts
        yield from (".".join(parts[:count]) for count in range(2, len(parts) + 1))
