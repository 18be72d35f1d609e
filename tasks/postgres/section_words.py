"""The words without which a file has no mark of another migration tool.

This module is all that a run with nothing to do needs of them: the marks themselves are in tasks.postgres.section_marks.
"""

from __future__ import annotations

import re

_WORDS = ("down", "undo", "rollback", "revert", "backward", "drop below")
_ENCODED = tuple(word.encode() for word in _WORDS)
_COMMENT = rf"(?:--|#|/\*)[^\r\n]*(?:{'|'.join(_WORDS)})|/\*\s*liquibase\s*rollback"


def may_have_marks(lowered: str) -> bool:
    """Return True if a text in lower case has a comment with a word that each down mark has one of."""
    if not any(word in lowered for word in _WORDS) or not any(sign in lowered for sign in ("--", "#", "/*")):
        return False
    return re.search(_COMMENT, lowered) is not None


def may_have_marks_in(data: bytes) -> bool:
    """Return True if bytes contain a word that each down mark has one of."""
    # Written out, because a generator takes as long as reading a small file.
    if b"--" not in data and b"#" not in data and b"/*" not in data:
        return False
    lowered = data.lower()
    return any(word in lowered for word in _ENCODED)
