"""What the statements of a plan remove from tables: the tables and columns whose rows a rollback loses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.runner.parsing.script import select

if TYPE_CHECKING:
    from tasks.runner.planning.plan import Plan, Step

_KINDS = frozenset({"DropStmt", "AlterTableStmt", "TruncateStmt", "DeleteStmt"})
_TABLES = frozenset({"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"})

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that a statement removes: those of a table, of all tables of a schema, or the values of a column.

    An empty `schema` means the search path, and an empty `table` the entire schema.
    """

    version: str
    statement: str
    """Its first words, for example DROP TABLE."""
    line: int
    schema: str
    table: str
    column: str = ""


def read_losses(plan: Plan) -> tuple[Loss, ...]:
    """Return the losses of the statements of a plan that are still to run; statements in blocks and functions are not read."""
    return tuple(loss for step in plan.steps for loss in _read_step(step))


def _read_step(step: Step) -> Iterator[Loss]:
    if not step.script.parsed:
        return
    for segment in step.script.segments[step.done :]:
        for statement in select(segment.statements, _KINDS):
            yield from read_statement_losses(step.version, statement.text, statement.kind, statement.line)


def read_statement_losses(version: str, text: str, kind: str, line: int) -> Iterator[Loss]:
    """Yield the losses of one statement that PostgreSQL's parser knows; `kind` is the name of its parse node."""
    if kind in _KINDS:
        for words, schema, table, column in _READERS[kind](_parse(text, kind)):
            yield Loss(version, words, line, schema, table, column)


def _parse(text: str, kind: str) -> Node:
    from pglast.parser import parse_sql_json

    node: Node = json.loads(parse_sql_json(text))["stmts"][0]["stmt"][kind]
    return node


_Lost = Iterator[tuple[str, str, str, str]]


def _read_drop(node: Node) -> _Lost:
    kind = node.get("removeType")
    for item in node.get("objects", ()):
        if kind == "OBJECT_SCHEMA" and node.get("behavior") == "DROP_CASCADE":
            yield "DROP SCHEMA", item["String"]["sval"], "", ""
        elif kind in _TABLES:
            names = [part["String"]["sval"] for part in item["List"]["items"]]
            yield "DROP TABLE", names[-2] if len(names) > 1 else "", names[-1], ""


def _read_alter(node: Node) -> _Lost:
    if node.get("objtype", "OBJECT_TABLE") not in _TABLES:
        return
    for item in node.get("cmds", ()):
        command = item["AlterTableCmd"]
        if command.get("subtype") == "AT_DropColumn":
            yield "DROP COLUMN", *_read_relation(node["relation"]), command["name"]


def _read_truncate(node: Node) -> _Lost:
    for item in node.get("relations", ()):
        yield "TRUNCATE", *_read_relation(item["RangeVar"]), ""


def _read_delete(node: Node) -> _Lost:
    if "whereClause" not in node and "usingClause" not in node:
        yield "DELETE", *_read_relation(node["relation"]), ""


def _read_relation(node: Node) -> tuple[str, str]:
    return node.get("schemaname", ""), node["relname"]


_READERS = {"DropStmt": _read_drop, "AlterTableStmt": _read_alter, "TruncateStmt": _read_truncate, "DeleteStmt": _read_delete}
