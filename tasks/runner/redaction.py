"""Redaction of passwords in everything that is shown or logged: those in URLs, in conninfo strings and in SQL."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

EXAMPLE_URL = "postgresql://user:password@host:5432/database"
"""The URL in messages; it contains no secret."""

_HIDDEN = "***"
_SHORTEST = 4
"""A shorter password is hidden only where the syntax shows that it is one, not wherever its letters occur."""

_SPACE = re.compile(r"\s")
_DOUBLED = r"''(?:[^'\\]|\\.)*+(?:''|\Z)"
_QUOTED = rf"{_DOUBLED}|'(?:[^'\\]|''|\\.)*+(?:'|\Z)"
"""A literal of SQL or of a conninfo string; inside another literal its quotes are doubled."""
_ASSIGNED = re.compile(
    r"\b(?:pg|ssl)?password\s*=\s*"
    rf"(?P<secret>{_QUOTED}|(?:\\.|&(?!\w+=)|[^\s&'\"\\])++)",
    re.IGNORECASE | re.DOTALL,
)
_DOLLAR_QUOTED = r"\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
_LITERAL = re.compile(rf"{_QUOTED}|{_DOLLAR_QUOTED}", re.DOTALL)
_AFTER_WORD = re.compile(rf"\bpassword\s+(?:e|u&)?(?P<secret>{_QUOTED}|{_DOLLAR_QUOTED})", re.IGNORECASE | re.DOTALL)
_ROLE = re.compile(
    rf"\b(?:create|alter)\s+(?:role|user|group)\b(?:[^;'$]++|{_QUOTED}|{_DOLLAR_QUOTED}|\$)*+", re.IGNORECASE | re.DOTALL
)
"""Every literal of such a statement is hidden, because the word PASSWORD may be misspelt."""


def redact(text: str, url: str = "", *, statement: str = "") -> str:
    """Return a text with its passwords replaced by ***.

    These are the passwords in URLs, conninfo strings and statements, and every occurrence of the password of `url` and of
    those in `statement`: the server's messages may quote a statement.
    """
    if url or statement:
        for secret in (*_find_in_url(url), *_find_in_statement(statement)):
            text = text.replace(secret, _HIDDEN)
    pieces: list[str] = []
    last = 0
    for start, stop in _find_spans(text):
        if start >= last:
            pieces += text[last:start], _HIDDEN
            last = stop
    return "".join((*pieces, text[last:]))


def redact_line(source: str, column: int, url: str = "", *, statement: str = "") -> tuple[str, int]:
    """Return a redacted source line, and the column (from 1) that its character has afterwards."""
    shown = redact(source, url, statement=statement)
    if shown == source or column < 1:
        return shown, column
    head = redact(source[: column - 1], url, statement=statement)
    return shown, len(head) + 1 if shown.startswith(head) else 1


@lru_cache(maxsize=16)
def _find_in_url(url: str) -> tuple[str, ...]:
    """Return the spellings of the password of a URL or conninfo string, longest first."""
    names, found = _read_conninfo(url)
    found |= {url[start:stop].strip("'") for start, stop in _find_spans(url)}
    # A URL without its scheme is invalid, but may contain a password.
    colon, at = url.find(":"), url.rfind("@")
    if "://" not in url and 0 <= colon < at:
        found.add(url[colon + 1 : at])
    found |= {unquote(secret) for secret in found}
    # The server's messages contain the word "password", and a name that contains the password has to remain readable.
    kept = {secret for secret in found if len(secret) >= _SHORTEST and not any(secret in name for name in names)}
    return tuple(sorted(kept - {_HIDDEN, "password"}, key=len, reverse=True))


def _find_in_statement(text: str) -> list[str]:
    """Return the passwords in a statement: with their quotes, and without them if they are long enough."""
    found = {text[start:stop] for start, stop in _find_spans(text)}
    quoted = [secret for secret in found if secret[0] in "'$"]
    return [*quoted, *(bare for secret in found if len(bare := secret.strip("'")) >= _SHORTEST)]


def _read_conninfo(url: str) -> tuple[set[str], set[str]]:
    """Return the names and the passwords in a URL or conninfo string, as libpq reads it."""
    if not url:
        return set(), set()
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        return set(), set()
    names = {parts[name] for name in ("user", "host", "dbname") if name in parts}
    return names, {parts[name] for name in ("password", "sslpassword") if name in parts}


def _find_spans(text: str) -> list[tuple[int, int]]:
    """Return the spans of the passwords in a text, in order; some may overlap."""
    spans = _find_in_urls(text) if "://" in text else []
    lowered = text.lower()
    if "password" in lowered:
        spans += [match.span("secret") for pattern in (_ASSIGNED, _AFTER_WORD) for match in pattern.finditer(text)]
    if any(word in lowered for word in ("role", "user", "group")):
        for statement in _ROLE.finditer(text):
            spans += [match.span() for match in _LITERAL.finditer(text, *statement.span())]
    return sorted(spans)


def _find_in_urls(text: str) -> list[tuple[int, int]]:
    """Return the spans from the first colon of a URL to its last @, which also hides a password that is not encoded."""
    spans = []
    position = 0
    while (sign := text.find("://", position)) >= 0:
        start = sign + len("://")
        space = _SPACE.search(text, start)
        position = space.start() if space else len(text)
        colon, at = text.find(":", start, position), text.rfind("@", start, position)
        if 0 <= colon < at - 1 and not text.startswith(EXAMPLE_URL, sign - len("postgresql")):
            spans.append((colon + 1, at))
    return spans
