"""What a statement changes, by which an up statement finds the statements that undo it in the down file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.lint.model import Node
from tasks.lint.rewriting.names import read_strings
from tasks.lint.rewriting.steps import Touched
from tasks.postgres.quoting import quote_identifier, quote_qualified

_COMMANDS = {
    "AT_SetNotNull": "notnull", "AT_DropNotNull": "notnull", "AT_AlterColumnType": "type", "AT_ColumnDefault": "default",
    "AT_DropColumn": "column", "AT_DropConstraint": "constraint", "AT_ValidateConstraint": "validation",
    "AT_SetStatistics": "statistics", "AT_SetStorage": "storage",
}  # fmt: skip
_NAMES: Mapping[str, tuple[str, Callable[[Node], Any]]] = {
    "UpdateStmt": ("rows", lambda node: node["relation"]["relname"]),
    "DeleteStmt": ("rows", lambda node: node["relation"]["relname"]),
    "InsertStmt": ("rows", lambda node: node["relation"]["relname"]),
    "CreateStmt": ("relation", lambda node: node["relation"]["relname"]),
    "CreateSeqStmt": ("relation", lambda node: node["sequence"]["relname"]),
    "ViewStmt": ("relation", lambda node: node["view"]["relname"]),
    "IndexStmt": ("index", lambda node: node.get("idxname", "")),
    "CreateTrigStmt": ("trigger", lambda node: node["trigname"]),
    "AlterEnumStmt": ("type", lambda node: read_strings(node["typeName"])[-1]),
    "CreateEnumStmt": ("type", lambda node: read_strings(node["typeName"])[-1]),
    "CompositeTypeStmt": ("type", lambda node: node["typevar"]["relname"]),
    "CreateFunctionStmt": ("routine", lambda node: read_strings(node["funcname"])[-1]),
    "CreateSchemaStmt": ("schema", lambda node: node.get("schemaname", "")),
    "CreateExtensionStmt": ("extension", lambda node: node["extname"]),
}
"""For a statement of a kind: what it changes, and the name of that."""
_OBJECTS = {
    "OBJECT_TABLE": "relation", "OBJECT_VIEW": "relation", "OBJECT_MATVIEW": "relation", "OBJECT_SEQUENCE": "relation",
    "OBJECT_INDEX": "index", "OBJECT_TYPE": "type", "OBJECT_SCHEMA": "schema", "OBJECT_EXTENSION": "extension",
    "OBJECT_FUNCTION": "routine", "OBJECT_PROCEDURE": "routine", "OBJECT_TRIGGER": "trigger", "OBJECT_POLICY": "policy",
    "OBJECT_DOMAIN": "type",
}  # fmt: skip


def list_commands(node: Node) -> list[Node]:
    """Return the commands of an ALTER TABLE."""
    return [item["AlterTableCmd"] for item in node.get("cmds", ())]


def touch(kind: str, node: Node) -> frozenset[Touched]:
    """Return what a statement changes; empty if that is not known."""
    if kind == "AlterTableStmt":
        table = node["relation"]["relname"]
        return frozenset().union(*(touch_command(table, command) for command in list_commands(node)))
    return frozenset(filter(None, (_touch_object(kind, node),)))


def touch_command(table: str, command: Node) -> frozenset[Touched]:
    """Return what a command of an ALTER TABLE changes."""
    subtype = command["subtype"]
    if subtype == "AT_AddColumn":
        return frozenset({("column", table, command["def"]["ColumnDef"]["colname"])})
    if subtype == "AT_AddConstraint":
        return frozenset({("constraint", table, command["def"]["Constraint"].get("conname", ""))})
    return frozenset({(str(_COMMANDS.get(subtype, subtype)), table, str(command.get("name", "")))})


def _touch_object(kind: str, node: Node) -> Touched | None:
    if kind in _NAMES:
        what, read = _NAMES[kind]
        return (what, read(node))
    if kind == "AlterDomainStmt":
        name = node.get("name") or node.get("def", {}).get("Constraint", {}).get("conname", "")
        return ("constraint", read_strings(node["typeName"])[-1], name)
    if kind == "RenameStmt":
        names = sorted((node.get("subname", ""), node.get("newname", "")))
        return ("renamed", node.get("relation", {}).get("relname", ""), *names)
    if kind == "DropStmt":
        return (str(_OBJECTS.get(node["removeType"], node["removeType"])), _read_name(node["objects"][0]))
    return None


def _read_name(item: Any) -> str:
    """Return the last name of a dropped object."""
    if "List" in item:
        return read_strings(item["List"]["items"])[-1]
    if "ObjectWithArgs" in item:
        return read_strings(item["ObjectWithArgs"]["objname"])[-1]
    if "TypeName" in item:
        return read_strings(item["TypeName"]["names"])[-1]
    return str(item.get("String", {}).get("sval", ""))


def invert(kind: str, node: Node) -> str:
    """Return the statement that undoes one, for those whose inverse follows from their text; else an empty text."""
    if kind == "CreateStmt":
        return f"DROP TABLE {_name(node['relation'])};\n"
    if kind == "ViewStmt" and not node.get("replace"):
        return f"DROP VIEW {_name(node['view'])};\n"
    if kind == "CreateSeqStmt":
        return f"DROP SEQUENCE {_name(node['sequence'])};\n"
    if kind == "CreateEnumStmt":
        return f"DROP TYPE {quote_qualified(*read_strings(node['typeName']))};\n"
    if kind == "AlterTableStmt":
        undone = [_invert_command(command) for command in reversed(list_commands(node))]
        return f"ALTER TABLE {_name(node['relation'])} {', '.join(undone)};\n" if all(undone) else ""
    return ""


def _invert_command(command: Node) -> str:
    subtype = command["subtype"]
    if subtype == "AT_AddColumn":
        return f"DROP COLUMN {quote_identifier(command['def']['ColumnDef']['colname'])}"
    if subtype == "AT_AddConstraint" and command["def"]["Constraint"].get("conname"):
        return f"DROP CONSTRAINT {quote_identifier(command['def']['Constraint']['conname'])}"
    if subtype == "AT_DropNotNull":
        return f"ALTER COLUMN {quote_identifier(command['name'])} SET NOT NULL"
    return ""


def _name(relation: Node) -> str:
    return quote_qualified(relation.get("schemaname", ""), relation["relname"])
