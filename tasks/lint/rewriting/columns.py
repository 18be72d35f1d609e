"""Columns that are added without rewriting the table: without the default first, which the existing rows get in batches."""

from __future__ import annotations

import re

from tasks.lint.model import Node
from tasks.lint.rewriting.constraints import add_constraint, require_value
from tasks.lint.rewriting.loops import fill_column
from tasks.lint.rewriting.names import TableTarget, read_strings
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import CutCommand, list_tokens, slice_bytes
from tasks.postgres.quoting import quote_identifier

_SERIALS = {
    "smallserial": "smallint", "serial2": "smallint", "serial": "integer", "serial4": "integer", "bigserial": "bigint",
    "serial8": "bigint",
}  # fmt: skip
_STABLE = frozenset({"now", "transaction_timestamp", "statement_timestamp", "current_setting", "timezone", "to_timestamp"})
_ATTRIBUTES = ("CONSTR_ATTR_DEFERRABLE", "CONSTR_ATTR_NOT_DEFERRABLE", "CONSTR_ATTR_DEFERRED", "CONSTR_ATTR_IMMEDIATE")
_NAMED = re.compile(r"\s*constraint\s+", re.IGNORECASE)
_WORD = re.compile(r"\s*default\b", re.IGNORECASE)


def add_column(table: TableTarget, command: Node, cut: CutCommand, statement: str) -> list[SafeStep]:
    """Return the steps for an ADD COLUMN, which is a part of a statement."""
    definition = command["def"]["ColumnDef"]
    column = definition["colname"]
    end = len(statement[: cut.offset].encode()) + len(cut.text.encode())
    parts = _divide(definition, statement, end)
    kinds = {node["contype"] for node, _ in parts}
    if kinds & {"CONSTR_GENERATED", "CONSTR_IDENTITY"}:
        raise NotRewritableError("a stored generated column or an identity column always rewrites the table")
    quoted, head = quote_identifier(column), f"ALTER TABLE {table.sql}"
    absent = "IF NOT EXISTS " if command.get("missing_ok") else ""
    default = next(((node, each) for node, each in parts if node["contype"] == "CONSTR_DEFAULT"), None)
    type_text, sequence = _read_type(definition, statement, end), ""
    serial = _SERIALS.get(type_text.lower())
    if serial:
        sequence = table.names.choose(table.name, [column], "seq")
        type_text = serial
    fills = bool(serial) or (default is not None and _may_be_volatile(default[0].get("raw_expr", {})))
    required = bool(serial) or "CONSTR_NOTNULL" in kinds
    if required and not serial and default is None:
        raise NotRewritableError(f"the value of {column} in the existing rows is not known")
    kept = (
        [] if fills else [each for node, each in parts if node["contype"] in ("CONSTR_DEFAULT", "CONSTR_NOTNULL", "CONSTR_NULL")]
    )
    first = f"{head} ADD COLUMN {absent}{quoted} {' '.join([type_text, *kept])};\n"
    if sequence:
        first = f"CREATE SEQUENCE {table.beside(sequence)} AS {serial};\n{first}"
        owner = f"{table.sql}.{quoted}"
        first += f"ALTER SEQUENCE {table.beside(sequence)} OWNED BY {owner};\n"
        literal = table.beside(sequence).replace("'", "''")
        first += f"{head} ALTER COLUMN {quoted} SET DEFAULT nextval('{literal}');\n"
    elif fills and default is not None:
        first += f"{head} ALTER COLUMN {quoted} SET DEFAULT {_WORD.sub('', default[1], count=1).strip()};\n"
    touched = frozenset({("column", table.name, column)})
    steps = [SafeStep(f"add {column} to {table.name}", first, f"{head} DROP COLUMN {quoted};\n", touched=touched)]
    if fills:
        steps.append(fill_column(table, column, "DEFAULT", f"{quoted} IS NULL"))
        steps += require_value(table, column) if required else []
    for node, each in parts:
        steps += add_constraint(table, node, each, column) or []
    return steps


def _divide(definition: Node, statement: str, end: int) -> list[tuple[Node, str]]:
    """Return the constraints of a column, which ends at a byte of the statement, each with its text without its name."""
    merged: list[tuple[Node, int]] = []
    for item in definition.get("constraints", ()):
        node = item["Constraint"]
        if node["contype"] in _ATTRIBUTES and merged:
            changes = {"CONSTR_ATTR_DEFERRABLE": "deferrable", "CONSTR_ATTR_DEFERRED": "initdeferred"}
            before, location = merged[-1]
            name = changes.get(node["contype"])
            merged[-1] = ({**before, **({name: True} if name else {})}, location)
        else:
            merged.append((node, node.get("location", 0)))
    borders = [*(location for _, location in merged[1:]), *([end] if merged else [])]
    collation = definition.get("collClause", {}).get("CollateClause", {}).get("location", 0)
    if merged and collation > merged[0][1]:
        raise NotRewritableError("COLLATE must come before the constraints of the column")
    return [
        (node, strip_name(slice_bytes(statement, location, border).strip(), node))
        for (node, location), border in zip(merged, borders, strict=True)
    ]


def strip_name(text: str, node: Node) -> str:
    """Return the text of a constraint without CONSTRAINT and its name."""
    if not node.get("conname") or not _NAMED.match(text):
        return text
    return text[list_tokens(text)[1].end :].strip()


def _read_type(definition: Node, statement: str, end: int) -> str:
    """Return the type of a column, with its collation, as the statement has it."""
    start = definition["typeName"].get("location", 0)
    constraints = definition.get("constraints", ())
    return slice_bytes(statement, start, constraints[0]["Constraint"].get("location", 0) if constraints else end).strip()


def _may_be_volatile(expression: object) -> bool:
    """Return True if an expression may have another value in each row: it calls a function that is not known to be stable."""
    if isinstance(expression, list):
        return any(_may_be_volatile(item) for item in expression)
    if not isinstance(expression, dict):
        return False
    call = expression.get("FuncCall")
    if call is not None and read_strings(call["funcname"])[-1] not in _STABLE:
        return True
    return any(_may_be_volatile(item) for item in expression.values())
