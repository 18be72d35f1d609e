"""Long texts: whether they may contain secrets, without dividing them into tokens.

For a text of 8 MB the tokens take 300 MB and seconds. What is looked for here is in every text in which
tasks.postgres.masking.spans finds a secret, and in few others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.postgres.secret_words import speaks_of_secrets

_WINDOW = 256 * 1024
_OVERLAP = 8 * 1024
"""What is looked for is shorter, and begins in one window or the next."""
_PATTERNS = {
    # A role, perhaps in a comment or in a literal, or with a comment in between.
    "create": (_ROLE := re.compile(r"(?:create|alter)(?:[\s\-']*(?:/\*|role|user|group|subscription)|\s*--)")),
    "alter": _ROLE,
    # A word in parts: 'pass' || 'word'
    "pass": re.compile(r"pass\w*(?:'|\$)"),
    # Words that escapes can hide.
    "u&": re.compile(r"u&['\"]"),
    "\\x": (_ESCAPES := re.compile(r"(?<!\w)e'(?:[^'\\]|\\[^xu])*+\\[xu]")),
    "\\u": _ESCAPES,
}
"""What may be a secret, in lower case, by a part of it: searching for the part is much faster."""


def may_have_secrets(text: str) -> bool:
    """Return False for a text that has no secrets, apart from those in URLs."""
    return any(_may_have_secrets(part) for part in _divide(text))


def _may_have_secrets(text: str) -> bool:
    lowered = text.lower()
    return any(part in lowered and pattern.search(lowered) for part, pattern in _PATTERNS.items()) or speaks_of_secrets(text)


def _divide(text: str) -> Iterator[str]:
    for start in range(0, len(text), _WINDOW):
        yield text[max(start - _OVERLAP, 0) : start + _WINDOW]
