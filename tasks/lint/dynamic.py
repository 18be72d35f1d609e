"""The statements that EXECUTE of PL/pgSQL runs, as far as their text is in the function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_UNKNOWN = "\0"
_WRITTEN = ("null", '"?"')
"""What is written for a part that only the run knows: it may be a value, or else a name."""
_PLACEHOLDER = re.compile(r"%(?:(\d+)\$)?-?\d*([sIL%])")


def read_dynamic(expression: str) -> Iterator[str]:
    """Yield the statement that an expression makes, with null or "?" for what is not constant; nothing if it cannot be parsed."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        tree = json.loads(parse_sql_json(f"SELECT {expression}"))
        text = _evaluate(tree["stmts"][0]["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"])
    except (ParseError, LookupError, RecursionError):
        return
    for written in _WRITTEN:
        with suppress(ParseError, RecursionError):
            parse_sql_json(text.replace(_UNKNOWN, written))
            yield text.replace(_UNKNOWN, written)
            return


def _evaluate(value: dict[str, Any]) -> str:
    """Return the text of an expression: of constants, ||, format, concat, and casts of these."""
    kind, node = next(iter(value.items()))
    if kind == "A_Const":
        return _read_constant(node)
    if kind == "TypeCast":
        return _evaluate(node["arg"])
    if kind == "A_Expr" and node["name"][-1]["String"]["sval"] == "||":
        return _evaluate(node["lexpr"]) + _evaluate(node["rexpr"])
    if kind != "FuncCall":
        return _UNKNOWN
    name, arguments = node["funcname"][-1]["String"]["sval"], [_evaluate(each) for each in node.get("args", ())]
    if name == "format" and arguments:
        return _format(arguments[0], arguments[1:])
    if name == "concat":
        return "".join(arguments)
    return arguments[0] if name in ("quote_ident", "quote_literal", "quote_nullable") and arguments else _UNKNOWN


def _read_constant(node: dict[str, Any]) -> str:
    if "sval" in node:
        return str(node["sval"].get("sval", ""))
    return str(node["ival"].get("ival", 0)) if "ival" in node else _UNKNOWN


def _format(text: str, arguments: list[str]) -> str:
    """Return what format() does: https://www.postgresql.org/docs/current/functions-string.html#FUNCTIONS-STRING-FORMAT."""
    following = iter(range(len(arguments)))

    def replace(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        place = int(match[1]) - 1 if match[1] else next(following, len(arguments))
        value = arguments[place] if 0 <= place < len(arguments) else _UNKNOWN
        return "'" + value.replace("'", "''") + "'" if match[2] == "L" else value

    return _PLACEHOLDER.sub(replace, text)
