"""Which extensions a file creates, also in a DO block or with EXECUTE, where the parser sees only a string."""

from __future__ import annotations

import re

from tasks.postgres.quoting import fold_identifier
from tasks.postgres.tokens import COMMENTS, NAME, tokenize

_CREATES = re.compile(rf"\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?({NAME})", re.IGNORECASE)
_BODY = re.compile(r"(\$[^$]*\$)(.*)\1", re.DOTALL)
_MENTIONS = re.compile(r"create\s+extension", re.IGNORECASE)


def list_created_extensions(text: str) -> tuple[str, ...]:
    """Return the names of the extensions that a text creates; comments do not count, nor those in the body of a block."""
    if not _MENTIONS.search(text):
        return ()
    found = (match[1] for match in _CREATES.finditer(_remove_comments(text)))
    return tuple(dict.fromkeys(map(fold_identifier, found)))


def _remove_comments(text: str) -> str:
    """Return a text with a space in place of each comment, and without the delimiters of dollar-quoted strings."""
    parts = []
    for token in tokenize(text):
        body = _BODY.fullmatch(token.text) if token.kind == "dollar_string" else None
        parts.append(_remove_comments(body[2]) if body else " " if token.kind in COMMENTS else token.text)
    return "".join(parts)
