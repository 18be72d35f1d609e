"""The rule about a drop or a rename of what a view, a function or a later file still uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.lint.mentions import read_mentions, read_routine
from tasks.lint.model import LintContext, LintedFile, LintedStatement, LintFinding
from tasks.lint.schema import RoutineFacts, SchemaFacts
from tasks.lint.trees import (
    RELATION_KINDS,
    find_line,
    list_commands,
    qualify,
    qualify_range,
    read_created,
    read_dropped,
    read_names,
)

_FUNCTIONS = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})


@dataclass(frozen=True, slots=True)
class _Removal:
    """What a statement drops or renames; `kind` is relation, column, function or type."""

    kind: str
    name: str
    """The object, or the table of the column; qualified and quoted as SQL."""
    column: str = ""
    renames: bool = False
    command: int = -1

    @property
    def shown(self) -> str:
        return f"column {self.column} of {self.name}" if self.column else self.name


def find_used(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each object that is dropped or renamed while something else still uses it."""
    schema = context.schema
    if schema is None:
        return
    for statement in context.file.statements:
        for removal in _list_removals(statement, schema):
            users = list(dict.fromkeys(_list_users(context, statement, removal, schema)))
            if not users:
                continue
            verb = "renamed" if removal.renames else "dropped"
            shown = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
            use = "uses" if len(users) == 1 else "use"
            yield LintFinding(
                context.file.shown,
                find_line(statement, removal.command),
                "drop-in-use",
                f"{removal.shown} is {verb}, but {shown} still {use} it",
                context.file.version,
                statement.number,
                removal.name if removal.kind in ("relation", "column") else "",
                removal.column,
                "" if removal.kind in ("relation", "column") else removal.name,
                removal.command,
            )


def _list_removals(statement: LintedStatement, schema: SchemaFacts) -> Iterator[_Removal]:
    node = statement.node
    if statement.kind == "DropStmt":
        kind = _classify(node.get("removeType", ""))
        for name in read_dropped(statement) if kind else ():
            yield _Removal(kind, qualify(name, schema))
    elif statement.kind == "RenameStmt":
        yield from _read_rename(statement, schema)
    elif statement.kind == "AlterTableStmt":
        for number, command in enumerate(list_commands(statement)):
            if command.get("subtype") == "AT_DropColumn":
                yield _Removal("column", qualify_range(node["relation"], schema), command["name"], command=number)


def _classify(kind: str) -> str:
    if kind in RELATION_KINDS:
        return "relation"
    return "function" if kind in _FUNCTIONS else "type" if kind in _TYPES else ""


def _read_rename(statement: LintedStatement, schema: SchemaFacts) -> Iterator[_Removal]:
    node, kind = statement.node, statement.node.get("renameType", "")
    if kind == "OBJECT_COLUMN" and node.get("relation"):
        yield _Removal("column", qualify_range(node["relation"], schema), node["subname"], renames=True)
    elif kind in RELATION_KINDS:
        yield _Removal("relation", qualify_range(node["relation"], schema), renames=True)
    elif kind in _FUNCTIONS:
        names = read_names(node.get("object", {}).get("ObjectWithArgs", {}).get("objname"))
        yield _Removal("function", qualify(names, schema), renames=True)


def _list_users(context: LintContext, statement: LintedStatement, removal: _Removal, schema: SchemaFacts) -> Iterator[str]:
    """Yield what uses an object, in words: what pg_depend records (a rename changes that too), functions, later files."""
    gone = _list_gone(context.file, statement, schema)
    if not removal.renames:
        for use in schema.uses:
            fits = use.used == removal.name and (not removal.column or use.column == removal.column)
            if fits and not _is_gone(use.user, gone):
                yield use.user
    replaced = {qualify(name, schema) for kind, name in map(read_created, context.file.statements) if kind == "OBJECT_FUNCTION"}
    # A body is text: it finds the column that takes the place of the one that is dropped, as in the safe change of a type.
    following = [each for each in context.file.statements[statement.number :] if each.segment == statement.segment]
    exchanged = bool(removal.column) and any(_creates_again(each, removal, schema) for each in following)
    for routine in () if exchanged else schema.routines:
        if routine.name in replaced or routine.name in gone or routine.name == removal.name:
            continue
        if _routine_uses(routine, removal, schema):
            yield f"function {routine.name}"
    yield from _list_later(context, removal, schema)


def _list_gone(file: LintedFile, until: LintedStatement, schema: SchemaFacts) -> set[str]:
    """Return what the file drops, or replaces, before a statement or with it."""
    gone: set[str] = set()
    for statement in file.statements[: until.number]:
        if statement.kind == "DropStmt":
            names = read_dropped(statement)
            if statement.node.get("removeType") in ("OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"):
                gone.update(f"{name[-1]} on table {qualify(name[:-1], schema)}" for name in names)
            else:
                gone.update(qualify(name, schema) for name in names)
        elif statement.kind == "ViewStmt" and statement.node.get("replace"):
            gone.add(qualify_range(statement.node["view"], schema))
        gone.update(_list_parts_gone(statement, schema))
    return gone


def _list_parts_gone(statement: LintedStatement, schema: SchemaFacts) -> Iterator[str]:
    """Yield the parts of a table or a domain that a statement drops, or replaces."""
    node = statement.node
    if statement.kind == "AlterDomainStmt" and node.get("subtype") == "X":
        yield f"constraint {node['name']}"
    elif statement.kind == "AlterDomainStmt" and node.get("subtype") == "T":
        yield f"type {qualify(tuple(read_names(node.get('typeName'))), schema)}"
    for command in list_commands(statement):
        name, table = command.get("name", ""), qualify_range(node["relation"], schema)
        if command.get("subtype") == "AT_DropConstraint":
            yield from (f"{name} on table {table}", f"{table.rpartition('.')[0]}.{name}")
        elif command.get("subtype") in ("AT_DropColumn", "AT_AlterColumnType"):
            yield f"column {name} of table {table}"
        elif command.get("subtype") == "AT_ColumnDefault":
            yield f"default value for column {name} of table {table}"


def _is_gone(user: str, gone: set[str]) -> bool:
    """Return True if an object, as pg_describe_object names it, is dropped: by its name, or with its table."""
    return any(user == name or user.endswith((f" {name}", f" on table {name}", f" of table {name}")) for name in gone) or (
        user.partition("(")[0].rpartition(" ")[2] in gone
    )


def _routine_uses(routine: RoutineFacts, removal: _Removal, schema: SchemaFacts) -> bool:
    for mentions in read_routine(routine, schema):
        if removal.kind == "relation" and mentions.names_relation(removal.name):
            return True
        if removal.kind == "column" and mentions.names_column(removal.name, removal.column, schema, routine.tables):
            return True
        if removal.kind == "function" and removal.name.rpartition(".")[2] in mentions.functions:
            return True
    return False


def _list_later(context: LintContext, removal: _Removal, schema: SchemaFacts) -> Iterator[str]:
    """Yield the pending files after this one that use an object, until one creates it again."""
    if removal.kind not in ("relation", "column"):
        return
    following = ((context.file, context.file.statements), *((file, file.statements) for file in context.later))
    for file, statements in following:
        for statement in statements:
            if _creates_again(statement, removal, schema):
                return
            if file is context.file:
                continue
            mentions = read_mentions(statement.node, schema)
            uses = (
                mentions.names_column(removal.name, removal.column, schema)
                if removal.column
                else mentions.names_relation(removal.name)
            )
            if uses and not statement.node.get("missing_ok"):
                yield f"{file.shown}:{statement.line}"
                return


def _creates_again(statement: LintedStatement, removal: _Removal, schema: SchemaFacts) -> bool:
    """Return True if a statement creates the relation or column, or renames another one to its name."""
    kind, name = read_created(statement)
    if kind in RELATION_KINDS and qualify(name, schema) == removal.name:
        return True
    node = statement.node
    if statement.kind == "RenameStmt" and node.get("relation"):
        relation = qualify_range(node["relation"], schema)
        if removal.column:
            return relation == removal.name and node.get("newname") == removal.column
        return qualify((node["relation"].get("schemaname", ""), node["newname"]), schema) == removal.name
    if not removal.column or statement.kind != "AlterTableStmt" or qualify_range(node["relation"], schema) != removal.name:
        return False
    added = [each.get("def", {}).get("ColumnDef", {}).get("colname") for each in list_commands(statement)]
    return removal.column in added
