"""Reading parse trees: the relations, commands and names in a statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.lint.model import LintedFile, LintedStatement, Node
from tasks.lint.schema import SchemaFacts
from tasks.postgres.tokens import BLANKS, tokenize

_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
RELATION_KINDS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE", "OBJECT_SEQUENCE"})
_RECREATING = {
    "CreateStmt": "OBJECT_TABLE",
    "CreateTableAsStmt": "OBJECT_TABLE",
    "ViewStmt": "OBJECT_VIEW",
    "CreateSeqStmt": "OBJECT_SEQUENCE",
    "CreateFunctionStmt": "OBJECT_FUNCTION",
    "CreateEnumStmt": "OBJECT_TYPE",
    "CompositeTypeStmt": "OBJECT_TYPE",
    "CreateDomainStmt": "OBJECT_DOMAIN",
    "CreateSchemaStmt": "OBJECT_SCHEMA",
    "CreateExtensionStmt": "OBJECT_EXTENSION",
}


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key of a tree with its value, from the outside to the inside."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from walk(item)


def read_names(items: Any) -> tuple[str, ...]:
    """Return the parts of a name, or the names of a list: a list of String nodes."""
    return tuple(item["String"]["sval"] for item in items or () if "String" in item)


def qualify_range(range_var: Node, schema: SchemaFacts | None) -> str:
    """Return the qualified name of a RangeVar as SQL."""
    return qualify((range_var.get("schemaname", ""), range_var.get("relname", "")), schema)


def qualify(parts: tuple[str, ...], schema: SchemaFacts | None) -> str:
    """Return the qualified name of a relation, type or function as SQL, from the parts of its name."""
    name, prefix = parts[-1], parts[-2] if len(parts) > 1 else ""
    return (schema or SchemaFacts()).qualify(prefix or None, name)


def list_commands(statement: LintedStatement) -> list[Node]:
    """Return the commands of an ALTER TABLE; nothing for another statement, or one on a view or an index."""
    return [each["AlterTableCmd"] for each in statement.node.get("cmds", ()) if "AlterTableCmd" in each]


def find_line(statement: LintedStatement, command: int) -> int:
    """Return the line of a command of an ALTER TABLE, from 1; that of the statement if the command is not found."""
    start = find_commands(statement)
    return statement.line + statement.text.count("\n", 0, start[command]) if 0 <= command < len(start) else statement.line


def find_commands(statement: LintedStatement) -> list[int]:
    """Return the characters of the statement at which the commands of an ALTER TABLE begin."""
    commands = list_commands(statement)
    if not commands:
        return []
    starts, depth, follows = [_find_first(statement)], 0, False
    for token in tokenize(statement.text, starts[0], skip=BLANKS):
        if follows:
            starts.append(token.start)
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        follows = token.text == "," and depth == 0
    return starts if len(starts) == len(commands) else [starts[0]] * len(commands)


def _find_first(statement: LintedStatement) -> int:
    """Return where the first command begins: after the name of the table, which may be followed by an asterisk."""
    after_name, location = False, statement.node.get("relation", {}).get("location", 0)
    start = len(statement.text.encode()[:location].decode(errors="ignore"))
    for token in tokenize(statement.text, start, skip=BLANKS):
        if token.text == ".":
            after_name = False
        elif token.text != "*" and after_name:
            return token.start
        else:
            after_name = True
    return 0


def list_constraints(column: Node) -> list[Node]:
    """Return the constraints of a ColumnDef."""
    return [each["Constraint"] for each in column.get("constraints", ()) if "Constraint" in each]


def list_targets(statement: LintedStatement, schema: SchemaFacts | None) -> tuple[str, ...]:
    """Return the tables that a statement changes or locks by name; for an index its table."""
    node = statement.node
    if statement.kind == "DropStmt":
        names = _list_dropped(node, schema)
    elif statement.kind in ("LockStmt", "TruncateStmt"):
        names = tuple(qualify_range(each["RangeVar"], schema) for each in node.get("relations", ()))
    elif statement.kind == "VacuumStmt":
        ranges = [each["VacuumRelation"].get("relation", {}) for each in node.get("rels", ())]
        names = tuple(qualify_range(each, schema) for each in ranges if each)
    else:
        named: Node = node.get("relation") or {}
        names = (qualify_range(named.get("RangeVar", named), schema),) if named else ()
    tables = schema.index_tables if schema else {}
    return tuple(tables.get(name, name) for name in names)


def _list_dropped(node: Node, schema: SchemaFacts | None) -> tuple[str, ...]:
    kind = node.get("removeType", "")
    names = [read_names(each["List"]["items"]) for each in node.get("objects", ()) if "List" in each]
    if kind in ("OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"):
        names = [name[:-1] for name in names]
    elif kind != "OBJECT_INDEX" and kind not in RELATION_KINDS:
        return ()
    return tuple(qualify(name, schema) for name in names if name)


def read_dropped(statement: LintedStatement) -> list[tuple[str, ...]]:
    """Return the names of the objects of a DROP, as parts, whatever their kind is."""
    found = []
    for each in statement.node.get("objects", ()):
        kind, value = next(iter(each.items()))
        items = {"List": "items", "TypeName": "names", "ObjectWithArgs": "objname"}.get(kind)
        found.append(read_names(value.get(items)) if items else (value["sval"],) if kind == "String" else ())
    return [name for name in found if name]


def read_created(statement: LintedStatement) -> tuple[str, tuple[str, ...]]:
    """Return the kind and the name of the object that a statement creates or replaces; empty if it creates none."""
    kind, node = _RECREATING.get(statement.kind, ""), statement.node
    if statement.kind == "CreateFunctionStmt":
        return kind, read_names(node.get("funcname"))
    if statement.kind in ("CreateEnumStmt", "CreateDomainStmt"):
        return kind, read_names(node.get("typeName") or node.get("domainname"))
    if statement.kind in ("CreateSchemaStmt", "CreateExtensionStmt"):
        return kind, (node.get("schemaname") or node.get("extname", ""),)
    if statement.kind == "CreateTableAsStmt":
        kind = str(node.get("objtype", kind))
    range_var = (
        node.get("relation")
        or node.get("view")
        or node.get("sequence")
        or node.get("typevar")
        or node.get("into", {}).get("rel")
        or (node.get("intoClause", {}).get("rel") if statement.kind == "SelectStmt" else None)
    )
    if statement.kind == "SelectStmt" and range_var:
        kind = "OBJECT_TABLE"
    return (kind, (range_var.get("schemaname", ""), range_var["relname"])) if kind and range_var else ("", ())


def list_created(file: LintedFile, schema: SchemaFacts | None) -> dict[str, int]:
    """Return the relations that a file creates, each with the number of the statement; a rename counts for the new name too."""
    known = schema.tables if schema else {}
    found: dict[str, int] = {}
    for statement in file.statements:
        kind, name = read_created(statement)
        if kind in RELATION_KINDS:
            relation = qualify(name, schema)
            if relation not in known or relation in _list_gone(file, statement, schema):
                found.setdefault(relation, statement.number)
        elif statement.kind == "RenameStmt" and statement.node.get("renameType") in RELATION_KINDS:
            old = list_targets(statement, schema)
            if old and old[0] in found:
                renamed = qualify((statement.node["relation"].get("schemaname", ""), statement.node["newname"]), schema)
                found.setdefault(renamed, statement.number)
    return found


def _list_gone(file: LintedFile, until: LintedStatement, schema: SchemaFacts | None) -> set[str]:
    """Return the relations that the file drops or renames before a statement."""
    gone: set[str] = set()
    for statement in file.statements[: until.number - 1]:
        renames = statement.kind == "RenameStmt" and statement.node.get("renameType") in RELATION_KINDS
        if renames or (statement.kind == "DropStmt" and statement.node.get("removeType") in RELATION_KINDS):
            gone.update(list_targets(statement, schema))
    return gone


def read_search_path(file: LintedFile) -> tuple[str, ...]:
    """Return the schemas of the first SET search_path of a file, or nothing."""
    for statement in file.statements:
        if statement.kind == "VariableSetStmt" and statement.node.get("name") == "search_path":
            values = [each.get("A_Const", {}).get("sval", {}).get("sval", "") for each in statement.node.get("args", ())]
            return tuple(value for value in values if value)
    return ()
