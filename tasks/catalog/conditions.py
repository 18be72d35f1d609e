"""Conditions as the server writes them after their text was read again.

`a BETWEEN 1 AND 2 AND b` is written as `(((a >= 1) AND (a <= 2)) AND b)`, and that as `((a >= 1) AND (a <= 2) AND b)`: the parser
joins conditions with those on their left. `(a, b) IS DISTINCT FROM (1, 2) OR c` has the same kind of parentheses.
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/parser/gram.y (makeAndExpr)
"""

from __future__ import annotations

from tasks.postgres.tokens import SPACE, Token, tokenize

_WORDS = frozenset({"AND", "OR"})


def join_conditions(text: str) -> str:
    """Return a text without the parentheses round conditions that are followed by more of them, joined by the same word."""
    tokens = list(tokenize(text))
    removed = _find_needless([token for token in tokens if token.kind not in SPACE])
    return "".join(token.text for token in tokens if token.start not in removed) if removed else text


def _find_needless(tokens: list[Token]) -> set[int]:
    """Return where the parentheses are: of a group at the beginning of another one, with one joining word in it and after it."""
    removed: set[int] = set()
    groups: list[tuple[int, set[str]]] = []
    for place, token in enumerate(tokens):
        if token.text == "(":
            groups.append((place, set()))
        elif token.text == ")" and groups:
            start, words = groups.pop()
            following = tokens[place + 1].text if place + 1 < len(tokens) else ""
            if words == {following} and start and tokens[start - 1].text == "(":
                removed |= {tokens[start].start, token.start}
        elif groups and token.kind == "word" and token.text in _WORDS:
            groups[-1][1].add(token.text)
    return removed
