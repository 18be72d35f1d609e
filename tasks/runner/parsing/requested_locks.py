"""The locks that the statements of a segment certainly request on relations that existed before it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.postgres.lock_requests import KINDS, LockRequest, find_requests, has_requests
from tasks.postgres.targets import Node
from tasks.runner.parsing.script import Statement, select

_CREATES = frozenset(
    {"CreateStmt", "CreateTableAsStmt", "ViewStmt", "CreateForeignTableStmt", "RenameStmt", "AlterObjectSchemaStmt"}
)
"""What makes a name mean another relation than before the segment."""
_MAY_CHANGE_PATH = frozenset({"VariableSetStmt", "DoStmt", "CallStmt", "CreateSchemaStmt", ""})
"""What may change the meaning of names without a schema; the empty kind is a text that was not parsed."""
REQUESTING = KINDS | _CREATES | _MAY_CHANGE_PATH | {"SelectStmt"}
"""The kinds of statements that decide which locks are requested."""
_SELECTS = re.compile(r"\binto\b|set_config", re.IGNORECASE)


def list_requested_locks(statements: Iterable[Statement], *, qualified: bool = False) -> Iterator[tuple[Statement, LockRequest]]:
    """Yield the locks that each statement certainly requests; `qualified`: only those on names with a schema.

    What the segment itself creates is left out, and so are names without a schema once the search_path may be another one.
    """
    made: set[str] = set()
    for statement in select(statements, REQUESTING):
        qualified = qualified or _may_change_path(statement)
        if not has_requests(statement.kind) and statement.kind not in _CREATES:
            continue
        node = _parse(statement)
        for request in find_requests(statement.kind, node):
            schema, name = request.name
            if name not in made and (schema or not qualified):
                yield statement, request
        made.update(_list_created(statement.kind, node))


def _may_change_path(statement: Statement) -> bool:
    """Return True if the names without a schema may mean other relations after a statement."""
    if statement.kind == "SelectStmt":
        return _SELECTS.search(statement.text) is not None
    return statement.kind in _MAY_CHANGE_PATH and not statement.sets_timeout


def _parse(statement: Statement) -> Node:
    """Return the node of a statement; empty for one that the parser refuses alone."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        tree: Any = json.loads(parse_sql_json(statement.text))
    except (ParseError, RecursionError):
        return {}
    node: Node = tree["stmts"][0]["stmt"].get(statement.kind, {})
    return node


def _list_created(kind: str, node: Node) -> Iterator[str]:
    relation = node.get("relation") or node.get("view") or node.get("into", {}).get("rel")
    if kind in _CREATES and relation:
        yield relation.get("relname", "")
        yield node.get("newname", "")
    if kind == "CreateForeignTableStmt":
        yield node.get("base", {}).get("relation", {}).get("relname", "")
