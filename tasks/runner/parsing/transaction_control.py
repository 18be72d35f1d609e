"""DO blocks and procedures that end transactions themselves, which the server allows only outside a transaction block.

https://www.postgresql.org/docs/current/plpgsql-transactions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tasks.postgres.targets import Node
from tasks.runner.parsing.script import Statement

_WORDS = re.compile(r"\b(?:commit|rollback|call)\b", re.IGNORECASE)
_ENDS = ("PLpgSQL_stmt_commit", "PLpgSQL_stmt_rollback")
_PLPGSQL = "plpgsql"
_Name = tuple[str, ...]


class TransactionControl:
    """What the statements of a file, read in order, show about the procedures that it creates and the blocks that it runs."""

    def __init__(self) -> None:
        self._committing: set[_Name] = set()

    def may_commit(self, statement: Statement) -> bool | None:
        """Return whether a statement ends transactions; None if only the server knows.

        It knows the procedures that the file does not create, and code in a language other than PL/pgSQL.
        """
        if statement.kind == "CreateFunctionStmt":
            self._read_procedure(statement)
            return False
        if statement.kind == "CallStmt":
            return True if self._is_committing(_read_called(_parse(statement.text, "CallStmt"))) else None
        if statement.kind != "DoStmt":
            return False
        node = _parse(statement.text, "DoStmt")
        if _read_language(node.get("args", ())) != _PLPGSQL:
            return None
        return self._examine(statement.text)

    def _read_procedure(self, statement: Statement) -> None:
        if not _WORDS.search(statement.text):
            return
        node = _parse(statement.text, "CreateFunctionStmt")
        is_plpgsql = node.get("is_procedure") and _read_language(node.get("options", ())) == _PLPGSQL
        if is_plpgsql and self._examine(statement.text):
            self._committing.add(_read_name(node["funcname"]))

    def _examine(self, text: str) -> bool | None:
        """Return whether the PL/pgSQL in a DO or CREATE PROCEDURE ends transactions, itself or in a procedure that it calls."""
        from pglast import parse_plpgsql
        from pglast.parser import ParseError

        if not _WORDS.search(text):
            return False
        try:
            found = list(_find_statements(parse_plpgsql(text)))
        except (ParseError, RecursionError, ValueError):
            return None
        if any(kind in _ENDS for kind, _ in found):
            return True
        called = [node["expr"]["PLpgSQL_expr"]["query"] for kind, node in found if kind == "PLpgSQL_stmt_call"]
        names = [_read_called(_parse(query, "CallStmt")) for query in called]
        if any(self._is_committing(name) for name in names):
            return True
        return None if names else False

    def _is_committing(self, name: _Name) -> bool:
        """Return True if a procedure of the file may be meant; a name without its schema fits every schema."""
        return any(known[-1:] == name[-1:] and (len(known) == 1 or len(name) == 1 or known == name) for known in self._committing)


def _find_statements(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield each node of a tree of PL/pgSQL, with its kind."""
    if isinstance(tree, list):
        for item in tree:
            yield from _find_statements(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            yield from _find_statements(value)


def _parse(text: str, kind: str) -> Node:
    """Return the node of a statement; empty if it is of another kind, or cannot be parsed."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        statement: Node = json.loads(parse_sql_json(text))["stmts"][0]["stmt"]
    except (ParseError, LookupError, RecursionError):
        return {}
    found: Node = statement.get(kind, {})
    return found


def _read_called(node: Node) -> _Name:
    return _read_name(node.get("funccall", {}).get("funcname", ()))


def _read_name(parts: Any) -> _Name:
    return tuple(part["String"]["sval"] for part in parts)


def _read_language(options: Any) -> str:
    for option in options:
        if option["DefElem"]["defname"] == "language":
            return str(option["DefElem"]["arg"]["String"]["sval"]).lower()
    return _PLPGSQL
