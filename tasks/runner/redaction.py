"""Keep passwords out of everything that is shown or logged: those of URLs and conninfo strings, and those in SQL."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

EXAMPLE_URL = "postgresql://user:password@host:5432/database"
"""What messages tell people to write; it holds no secret."""

_HIDDEN = "***"
_SHORTEST = 4
"""A password shorter than this is hidden where it stands as one, not wherever these letters stand."""

_SPACE = re.compile(r"\s")
_DOUBLED = r"''(?:[^'\\]|\\.)*+(?:''|\Z)"
_QUOTED = rf"{_DOUBLED}|'(?:[^'\\]|''|\\.)*+(?:'|\Z)"
"""A literal of SQL or of a conninfo string; within another literal its quotes are doubled."""
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
"""Every literal of such a statement is hidden: with a slip in the word PASSWORD, the secret stands there all the same."""


def redact(text: str, url: str = "", *, beside: str = "") -> str:
    """Replace the passwords in a text by ***.

    Those are what stands as a password in a URL, a conninfo string or a statement, and, wherever they stand, the password of
    `url` and those that the text `beside` holds: the server's words may quote a statement.
    """
    if url or beside:
        for secret in (*_find_in_url(url), *_find_in_statement(beside)):
            text = text.replace(secret, _HIDDEN)
    pieces: list[str] = []
    last = 0
    for start, stop in _find_spans(text):
        if start >= last:
            pieces += text[last:start], _HIDDEN
            last = stop
    return "".join((*pieces, text[last:]))


def redact_line(source: str, column: int, url: str = "", *, beside: str = "") -> tuple[str, int]:
    """Redact a source line, and move the column that is pointed at (from 1 on) to where its character went."""
    shown = redact(source, url, beside=beside)
    if shown == source or column < 1:
        return shown, column
    head = redact(source[: column - 1], url, beside=beside)
    return shown, len(head) + 1 if shown.startswith(head) else 1


@lru_cache(maxsize=16)
def _find_in_url(url: str) -> tuple[str, ...]:
    """List the spellings of the password of a URL or conninfo string, longest first."""
    names, found = _read_conninfo(url)
    found |= {url[start:stop].strip("'") for start, stop in _find_spans(url)}
    # A URL without its scheme is no URL, and yet a password stands in it.
    colon, at = url.find(":"), url.rfind("@")
    if "://" not in url and 0 <= colon < at:
        found.add(url[colon + 1 : at])
    found |= {unquote(secret) for secret in found}
    # The word "password" stands in the server's messages, and a name that holds the password has to show.
    kept = {secret for secret in found if len(secret) >= _SHORTEST and not any(secret in name for name in names)}
    return tuple(sorted(kept - {_HIDDEN, "password"}, key=len, reverse=True))


def _find_in_statement(text: str) -> list[str]:
    """List the passwords in a statement: with their quotes, and without them where they are long enough."""
    found = {text[start:stop] for start, stop in _find_spans(text)}
    quoted = [secret for secret in found if secret[0] in "'$"]
    return [*quoted, *(bare for secret in found if len(bare := secret.strip("'")) >= _SHORTEST)]


def _read_conninfo(url: str) -> tuple[set[str], set[str]]:
    """Read a URL or conninfo string as libpq does: the names in it, and the passwords."""
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
    """Find from where to where passwords stand in a text, in their order; some may overlap."""
    spans = _find_in_urls(text) if "://" in text else []
    lowered = text.lower()
    if "password" in lowered:
        spans += [match.span("secret") for pattern in (_ASSIGNED, _AFTER_WORD) for match in pattern.finditer(text)]
    if any(word in lowered for word in ("role", "user", "group")):
        for statement in _ROLE.finditer(text):
            spans += [match.span() for match in _LITERAL.finditer(text, *statement.span())]
    return sorted(spans)


def _find_in_urls(text: str) -> list[tuple[int, int]]:
    """Find what stands between the first colon of a URL and its last @, which also hides a password that is not encoded."""
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
