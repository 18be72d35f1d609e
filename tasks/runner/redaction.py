"""Redaction of passwords in messages: those in URLs, in conninfo strings and in what the server quotes of SQL.

A text of SQL is masked as a whole, before a part of it gets into a message: see tasks/postgres/masking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote

from tasks.postgres.secret_words import HIDDEN, SECRET_PARAMETERS, speaks_of_secrets

_SHORTEST = 4
"""A shorter password is hidden only where the syntax shows that it is one, not wherever its letters occur."""
_LONG = 8
_FOLDERS = frozenset({"PWD", "OLDPWD"})
"""Variables of the shell, which are not about passwords."""

_DOUBLED = r"''(?:[^'\\]|\\.)*+(?:''|\Z)"
_QUOTED = rf"{_DOUBLED}|'(?:[^'\\]|''|\\.)*+(?:'|\Z)"
"""A literal of SQL or of a conninfo string; inside another literal its quotes are doubled."""
_ASSIGNED = re.compile(
    r"(?:passw(?:or)?d|passphrase|(?<![a-z])pwd|secret|token|api_?key|access_?key|private_?key)\s*=\s*"
    rf"(?P<secret>{_QUOTED}|(?:\\.|&(?!\w+=)|[^\s&'\"\\])++)",
    re.IGNORECASE | re.DOTALL,
)
_MAY_ASSIGN = re.compile("passw|passphrase|pwd|secret|token|key")
_KEY = re.compile(r"(\([^()=]*\)=)\(.*\)")
"""The values of a key in a DETAIL, in any language."""
_COPIED = re.compile(r'(: )".*"?$')
_DOLLAR_QUOTED = r"\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
_LITERAL = re.compile(rf"{_QUOTED}|{_DOLLAR_QUOTED}", re.DOTALL)
_AFTER_WORD = re.compile(rf"\b(?:password|passwd)\s+(?:e|u&)?(?P<secret>{_QUOTED}|{_DOLLAR_QUOTED})", re.IGNORECASE | re.DOTALL)
_ROLE = re.compile(
    rf"\b(?:create|alter)\s+(?:role|user|group)\b(?:[^;'$]++|{_QUOTED}|{_DOLLAR_QUOTED}|\$)*+", re.IGNORECASE | re.DOTALL
)
"""Every literal of such a statement is hidden, because the word PASSWORD may be misspelt."""


def redact(text: str, url: str = "", *, statement: str = "") -> str:
    """Return a text with its passwords replaced by ***.

    These are the passwords in URLs, conninfo strings and statements, and every occurrence of the password of `url` and of
    what is masked in `statement`, which may be a whole file: the server's messages may quote it.
    """
    from tasks.postgres.masking import mask, replace_spans

    for secret in _find_in_url(url) if url else ():
        text = text.replace(secret, HIDDEN)
    if statement:
        text = _hide_values(text, mask(statement).values)
    return replace_spans(text, _find_spans(text))


def redact_child_text(text: str, environ: Mapping[str, str]) -> str:
    """Return what a child process printed, without passwords and without the secrets that its environment has.

    These are the passwords of its URLs, however the text quotes them, and the values of variables whose names speak of secrets.
    """
    secrets = {secret for value in environ.values() if "@" in value or "=" in value for secret in _find_in_url(value)}
    named = {name: value for name, value in environ.items() if name not in _FOLDERS and len(value) >= _LONG}
    secrets |= {value for name, value in named.items() if speaks_of_secrets(name)}
    return redact(_hide_values(text, sorted(secrets, key=len, reverse=True)))


def redact_stored(text: str) -> str:
    """Return a text of the log of runs, which an older version of this tool, or another program, may have written, redacted."""
    return redact(redact_quoted(text))


def redact_line(source: str, column: int, url: str) -> tuple[str, int]:
    """Return a source line without the password of a URL, and the column (from 1) that its character has afterwards."""
    shown = redact(source, url)
    if shown == source or column < 1:
        return shown, column
    head = redact(source[: column - 1], url)
    return shown, len(head) + 1 if shown.startswith(head) else 1


def redact_quoted(text: str, *, speaks: bool = False) -> str:
    """Return a text of the server in which the literals that it quotes are replaced by ***, if it speaks of secrets.

    `speaks` means that what it is about does. The text may be in any language; its values are where no grammar shows what they
    are: `Key (token)=(x) already exists`, `COPY users, line 1, column password: "x"`, `SQL statement "ALTER ROLE …"`.
    """
    text = "\n".join(_hide_data(line) if speaks or _names_secret(line) else line for line in text.split("\n"))
    if not speaks_of_secrets(text, keys=False):
        return text
    from tasks.postgres.masking import mask_comment

    return mask_comment(text)


def _names_secret(line: str) -> bool:
    """Return True if a line speaks of a secret; of the values of a key, its columns decide, not the word KEY before them."""
    key = _KEY.search(line)
    return speaks_of_secrets(key[1] if key else line)


def _hide_data(line: str) -> str:
    hidden = _KEY.sub(rf"\1({HIDDEN})", line)
    return _COPIED.sub(rf'\1"{HIDDEN}"', hidden) if line.startswith("COPY ") else hidden


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
    # The server's messages contain the word "password", and a name that contains the password has to stay readable.
    kept = {secret for secret in found if len(secret) >= _SHORTEST and not any(secret in name for name in names)}
    return tuple(sorted(kept - {HIDDEN, "password"}, key=len, reverse=True))


def _hide_values(text: str, values: Iterable[str]) -> str:
    """Return a text without the values; a short one counts only as a word, not wherever its letters occur."""
    for value in values:
        if len(value) >= _LONG:
            text = text.replace(value, HIDDEN)
        elif value in text:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", HIDDEN, text)
    return text


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
    return names, {parts[name] for name in SECRET_PARAMETERS if name in parts}


def _find_spans(text: str) -> list[tuple[int, int]]:
    """Return the spans of the passwords in a text, in order; some may overlap."""
    spans: list[tuple[int, int]] = []
    if "://" in text:
        from tasks.postgres.masking import find_in_urls

        spans = find_in_urls(text)
    lowered = text.lower()
    if _MAY_ASSIGN.search(lowered):
        spans += [match.span("secret") for pattern in (_ASSIGNED, _AFTER_WORD) for match in pattern.finditer(text)]
    if any(word in lowered for word in ("role", "user", "group")):
        for statement in _ROLE.finditer(text):
            spans += [match.span() for match in _LITERAL.finditer(text, *statement.span())]
    return sorted(spans)
