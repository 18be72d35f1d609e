"""Dropping the table's name before the columns of a view that selects from one item only, as PostgreSQL 16 and later do.

Only the outermost SELECT is written so, and only if its FROM lists one item; all SELECTs within it keep the names.
"""

from __future__ import annotations

from tasks.postgres.tokens import NAMES, SPACE, Token, tokenize

_STARTS = frozenset({"SELECT", "WITH", "VALUES"})
_SET_OPERATIONS = frozenset({"UNION", "INTERSECT", "EXCEPT"})
_ENDS = frozenset({"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"})


def drop_qualifiers(definition: str) -> str:
    """Return the definition of a view without them, or unchanged where version 16 would keep them."""
    tokens = list(tokenize(definition, skip=SPACE))
    outer = _find_outer(tokens)
    source = _find_source(tokens, outer)
    if source is None:
        return definition
    pieces, kept = [], 0
    for index in range(1, len(tokens) - 2):
        before, token, dot, after = tokens[index - 1 : index + 3]
        qualifies = index in outer and token.text == source and dot.text == "." and after.kind in NAMES
        table = outer.get(index - 1) == 0 and before.text in {"FROM", "ONLY"}
        if qualifies and not table and before.text not in {".", "::"}:
            pieces.append(definition[kept : token.start])
            kept = dot.end
    return "".join((*pieces, definition[kept:]))


def _find_outer(tokens: list[Token]) -> dict[int, int]:
    """Return the indexes of the outermost SELECT's tokens, each with the number of parentheses around it."""
    outer: dict[int, int] = {}
    stack: list[bool] = []
    for index, token in enumerate(tokens):
        if token.text == "(":
            inner = next((later.text for later in tokens[index + 1 :] if later.text != "("), "")
            stack.append(inner in _STARTS)
        elif token.text == ")" and stack:
            stack.pop()
        if not any(stack):
            outer[index] = len(stack)
    return outer


def _find_source(tokens: list[Token], outer: dict[int, int]) -> str | None:
    """Return the name of the one item in the outermost FROM, or None if there is not exactly one."""
    top = [(index, tokens[index].text) for index, depth in outer.items() if depth == 0]
    words = {text for _, text in top}
    if "FROM" not in words or _SET_OPERATIONS & words:
        return None
    start = next(index for index, text in top if text == "FROM")
    end = next((index for index, text in top if index > start and text in _ENDS), len(tokens))
    item = [tokens[index] for index, _ in top if start < index < end]
    if any(token.text == "," for token in item) or _joins(tokens, outer, start, end):
        return None
    return _find_alias([token.text for token in item if token.kind in NAMES])


def _joins(tokens: list[Token], outer: dict[int, int], start: int, end: int) -> bool:
    return any(start < index < end and tokens[index].text == "JOIN" for index in outer)


def _find_alias(names: list[str]) -> str | None:
    """Return the last name: the alias if there is one, else the table's own name."""
    if "TABLESAMPLE" in names:
        names = names[: names.index("TABLESAMPLE")]
    return names[-1] if names else None
