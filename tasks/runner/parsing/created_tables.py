"""The tables that a file creates, under their names in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tasks.postgres.quoting import fold_identifier
from tasks.postgres.targets import Node
from tasks.runner.parsing.large.text import LargeText
from tasks.runner.parsing.script import Statement, select
from tasks.runner.parsing.source_text import ScriptError

_DECIDED_BY_TREE = frozenset(
    {
        "CreateStmt",
        "CreateTableAsStmt",
        "CreateForeignTableStmt",
        "CreateSchemaStmt",
        "RenameStmt",
        "AlterObjectSchemaStmt",
        "VariableSetStmt",
        "SelectStmt",
    }
)
_READ = _DECIDED_BY_TREE | {"DoStmt", ""}
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_CREATE = re.compile(
    rf"\bcreate\s+(?:unlogged\s+|foreign\s+)?table\s+(?:if\s+not\s+exists\s+)?({_NAME})(?:\s*\.\s*({_NAME}))?", re.IGNORECASE
)
"""A statement inside a DO block, or in a text that the parser does not know."""


class TableName(NamedTuple):
    """The name of a table; `schemas` are those that it may be in, none if the role's search_path decides."""

    schemas: tuple[str, ...]
    name: str


def list_created_tables(text: str | LargeText, *, file: str, version: str) -> Iterator[TableName]:
    """Yield the tables that the statements of a file create or rename; temporary ones are left out.

    A file that cannot be run has none.
    """
    from tasks.runner.parsing import read_script

    try:
        script = read_script(text, file=file, version=version)
    except ScriptError:
        return
    path: tuple[str, ...] = ()
    for statement in select(script.statements, _READ):
        if statement.kind == "VariableSetStmt":
            path = _read_path(_read_node(statement), path)
        for schema, name in list_statement_tables(statement):
            yield TableName((schema,) if schema else path, name)


def list_statement_tables(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield schema, which may be empty, and name of the tables that a statement creates or renames to."""
    if statement.kind in ("DoStmt", ""):
        for first, second in _CREATE.findall(statement.text):
            yield (fold_identifier(first), fold_identifier(second)) if second else ("", fold_identifier(first))
    elif statement.kind in _DECIDED_BY_TREE and (statement.kind != "SelectStmt" or " into" in statement.text.lower()):
        yield from _list_relations(statement.kind, _read_node(statement))


def _list_relations(kind: str, node: Node) -> Iterator[tuple[str, str]]:
    """Yield schema and name of the tables that a node of the parser's tree creates."""
    if kind == "CreateStmt":
        yield from _read_relation(node["relation"])
    elif kind == "CreateForeignTableStmt":
        yield from _read_relation(node["base"]["relation"])
    elif kind == "CreateTableAsStmt":
        yield from _read_relation(node["into"]["rel"])
    elif kind == "SelectStmt" and "intoClause" in node:
        yield from _read_relation(node["intoClause"]["rel"])
    elif kind == "CreateSchemaStmt":
        for element in node.get("schemaElts", ()):
            for inner, child in element.items():
                yield from ((schema or node.get("schemaname", ""), name) for schema, name in _list_relations(inner, child))
    elif kind == "RenameStmt" and node.get("renameType") == "OBJECT_TABLE":
        yield node["relation"].get("schemaname", ""), node["newname"]
    elif kind == "AlterObjectSchemaStmt" and node.get("objectType") == "OBJECT_TABLE":
        yield node["newschema"], node["relation"]["relname"]


def _read_relation(relation: Node) -> Iterator[tuple[str, str]]:
    if relation.get("relpersistence") != "t" and relation.get("schemaname") != "pg_temp":
        yield relation.get("schemaname", ""), relation["relname"]


def _read_path(node: Node, before: tuple[str, ...]) -> tuple[str, ...]:
    """Return the search_path that a file has set after a SET."""
    if node.get("name") != "search_path":
        return before
    names = (argument.get("A_Const", {}).get("sval", {}).get("sval", "") for argument in node.get("args", ()))
    return tuple(name for name in names if name and name != "$user")


def _read_node(statement: Statement) -> Node:
    from pglast.parser import parse_sql_json

    tree: dict[str, Any] = json.loads(parse_sql_json(statement.text))["stmts"][0]["stmt"]
    node: Node = tree[statement.kind]
    return node
