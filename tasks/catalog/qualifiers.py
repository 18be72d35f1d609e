"""Dropping the table's name before the columns of a view that selects from one thing alone, as PostgreSQL 16 and later do.

Only the outermost SELECT is written so, and only if its FROM holds one item; all SELECTs within it keep the names.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<text>[EBXUebxu]?&?'(?:[^'\\]|''|\\.)*')
    | (?P<name>"(?:[^"]|"")*"|[^\W\d][\w$]*)
    | (?P<sign>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STARTS = frozenset({"SELECT", "WITH", "VALUES"})
_SET_OPERATIONS = frozenset({"UNION", "INTERSECT", "EXCEPT"})
_ENDS = frozenset({"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"})


def drop_qualifiers(definition: str) -> str:
    """Drop them from a view's definition, or return it as it is where version 16 would keep them."""
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(definition)]
    outer = _find_outer(tokens)
    source = _find_source(tokens, outer)
    if source is None:
        return definition
    solid = [place for place, (group, _) in enumerate(tokens) if group != "space"]
    dropped: set[int] = set()
    for before, place, dot, after in zip(solid, solid[1:], solid[2:], solid[3:], strict=False):
        names = place in outer and tokens[place] == ("name", source) and tokens[dot][1] == "." and tokens[after][0] == "name"
        table = outer.get(before) == 0 and tokens[before][1] in {"FROM", "ONLY"}
        if names and not table and tokens[before][1] not in {".", "::"}:
            dropped |= {place, dot}
    return "".join(text for place, (_, text) in enumerate(tokens) if place not in dropped)


def _find_outer(tokens: list[tuple[str, str]]) -> dict[int, int]:
    """Return the places of the outermost SELECT's tokens, each with how many parentheses are around it."""
    outer: dict[int, int] = {}
    stack: list[bool] = []
    for place, (group, text) in enumerate(tokens):
        if text == "(" and group == "sign":
            inner = next((later for kind, later in tokens[place + 1 :] if kind != "space" and later != "("), "")
            stack.append(inner in _STARTS)
        elif text == ")" and group == "sign" and stack:
            stack.pop()
        if not any(stack):
            outer[place] = len(stack)
    return outer


def _find_source(tokens: list[tuple[str, str]], outer: dict[int, int]) -> str | None:
    """Return the name of the one thing in the outermost FROM, or None if there is not exactly one."""
    top = [(place, *tokens[place]) for place, depth in outer.items() if depth == 0 and tokens[place][0] != "space"]
    words = [text for _, group, text in top if group == "name"]
    if "FROM" not in words or _SET_OPERATIONS & set(words):
        return None
    start = next(place for place, group, text in top if group == "name" and text == "FROM")
    end = next((place for place, group, text in top if place > start and group == "name" and text in _ENDS), len(tokens))
    item = [(place, group, text) for place, group, text in top if start < place < end]
    if any(text == "," for _, _, text in item) or _joins(tokens, outer, start, end):
        return None
    return _find_alias([text for _, group, text in item if group == "name"])


def _joins(tokens: list[tuple[str, str]], outer: dict[int, int], start: int, end: int) -> bool:
    return any(start < place < end and tokens[place] == ("name", "JOIN") for place in outer)


def _find_alias(names: list[str]) -> str | None:
    """Return the last name: the alias if there is one, else the table's own name."""
    if "TABLESAMPLE" in names:
        names = names[: names.index("TABLESAMPLE")]
    return names[-1] if names else None
