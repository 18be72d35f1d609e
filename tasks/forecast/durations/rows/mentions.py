"""The values with which the statements of a file compare a column."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

_MOST = 20
_COMPARISONS = frozenset({"AEXPR_OP", "AEXPR_IN"})


def find_mentioned(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the texts that are compared with a column, by its name; what cannot be parsed mentions nothing.

    With them among the generated values, a condition finds about the share of rows that the statistics suggest.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        for column, value in _walk(_parse(text)):
            found[column].append(value)
    return {column: tuple(dict.fromkeys(values))[:_MOST] for column, values in found.items()}


def _parse(text: str) -> Any:
    # Parsing takes time to import, and a plan may have nothing to measure.
    import pglast

    try:
        return json.loads(pglast.parser.parse_sql_json(text))
    except (pglast.parser.ParseError, ValueError, RecursionError):
        return None


def _walk(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for each in node:
            yield from _walk(each)
    if not isinstance(node, dict):
        return
    comparison = node.get("A_Expr")
    if comparison and comparison.get("kind") in _COMPARISONS:
        column = _find_column(comparison.get("lexpr"))
        if column:
            yield from ((column, value) for value in _find_texts(comparison.get("rexpr")))
    for each in node.values():
        yield from _walk(each)


def _find_column(node: Any) -> str:
    fields = (node or {}).get("ColumnRef", {}).get("fields", ())
    return fields[-1].get("String", {}).get("sval", "") if fields else ""


def _find_texts(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    if "List" in node:
        for each in node["List"].get("items", ()):
            yield from _find_texts(each)
    if "TypeCast" in node:
        yield from _find_texts(node["TypeCast"].get("arg"))
    value = node.get("A_Const", {}).get("sval", {}).get("sval")
    if value is not None:
        yield value
