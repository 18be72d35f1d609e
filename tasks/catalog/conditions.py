"""Conditions as the server writes them after their text was read again.

`a BETWEEN 1 AND 2 AND b` is written as `(((a >= 1) AND (a <= 2)) AND b)`, and that as `((a >= 1) AND (a <= 2) AND b)`: the parser
joins conditions with those on their left. `(a, b) IS DISTINCT FROM (1, 2) OR c` has the same kind of parentheses.
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/parser/gram.y (makeAndExpr)
"""

from __future__ import annotations

import re

CONDITION_MARKS = (") AND ", ") OR ")
"""Without one of these, a text needs no change."""
_PARTS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]| (?:AND|OR) """)


def join_conditions(text: str) -> str:
    """Return a text without the parentheses round conditions that are followed by more of them, joined by the same word."""
    if not any(mark in text for mark in CONDITION_MARKS):
        return text
    removed = sorted(_find_needless(text))
    starts, ends = [0, *(place + 1 for place in removed)], [*removed, len(text)]
    return "".join(text[start:end] for start, end in zip(starts, ends, strict=True))


def _find_needless(text: str) -> set[int]:
    """Return where the parentheses are: of a group at the beginning of another one, with one joining word in it and after it."""
    removed: set[int] = set()
    groups: list[tuple[int, set[str]]] = []
    for match in _PARTS.finditer(text):
        part, place = match[0], match.start()
        if part == "(":
            groups.append((place, set()))
        elif part == ")" and groups:
            start, words = groups.pop()
            if len(words) == 1 and text.startswith(tuple(words), place + 1) and text[start - 1 : start] == "(":
                removed |= {start, place}
        elif groups and part.startswith(" "):
            groups[-1][1].add(part)
    return removed
