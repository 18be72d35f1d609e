"""Rules about the columns of a table, and about enum types."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.lint.model import LintContext, LintedStatement, LintFinding, Node
from tasks.lint.rules.reported import was_rewritten
from tasks.lint.schema import TableFacts
from tasks.lint.trees import find_line, list_commands, qualify, qualify_range, read_names, walk
from tasks.postgres.quoting import quote_identifier

_CHECK = re.compile(r"CHECK \(\((.*)\)\)(?: NOT VALID)?$", re.DOTALL)


def find_rewriting_type(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each change of a type that rewrites the table or an index, or that was not tried."""
    for statement in context.file.statements:
        if statement.kind != "AlterTableStmt" or was_rewritten(context, statement) is False:
            continue
        for number, command in enumerate(list_commands(statement)):
            if command.get("subtype") == "AT_AlterColumnType":
                message = (
                    f"the new type of {command['name']} rewrites {{relation}} or an index of it, "
                    "and keeps out readers and writers until that is done"
                )
                yield _describe(context, statement, number, command["name"], "changing-column-type", message)


def find_scanning_not_null(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each SET NOT NULL that has to read the table, because no valid CHECK proves it.

    PRIMARY KEY USING INDEX does the same: https://www.postgresql.org/docs/current/sql-altertable.html
    """
    for statement in context.file.statements:
        if statement.kind != "AlterTableStmt":
            continue
        for number, command in enumerate(list_commands(statement)):
            required = _list_required(context, statement, command)
            unproved = next((column for column in required if not _is_proved(context, statement, column)), "")
            if not unproved:
                continue
            cause = "SET NOT NULL" if command["subtype"] == "AT_SetNotNull" else "the primary key"
            message = (
                f"{cause} of {unproved} reads the whole table {{relation}} while readers and writers wait, "
                "because no validated CHECK (… IS NOT NULL) proves it"
            )
            yield _describe(context, statement, number, unproved, "adding-not-nullable-field", message)


def _list_required(context: LintContext, statement: LintedStatement, command: Node) -> tuple[str, ...]:
    """Return the columns that a command makes NOT NULL: of SET NOT NULL, or of the index that becomes a primary key."""
    constraint: Node = command.get("def", {}).get("Constraint", {})
    if command.get("subtype") == "AT_SetNotNull":
        return (command["name"],)
    if constraint.get("contype") != "CONSTR_PRIMARY" or not constraint.get("indexname"):
        return ()
    for each in context.file.statements[: statement.number - 1]:
        if each.kind == "IndexStmt" and each.node.get("idxname") == constraint["indexname"]:
            return tuple(part["IndexElem"].get("name", "") for part in each.node.get("indexParams", ()))
    schema, relation = context.schema, qualify_range(statement.node["relation"], context.schema)
    indexes = schema.tables[relation].indexes if schema and relation in schema.tables else ()
    name = quote_identifier(constraint["indexname"])
    return next((each.columns for each in indexes if each.name.endswith(f".{name}")), ())


def _is_proved(context: LintContext, statement: LintedStatement, column: str) -> bool:
    """Return True if a column is not null already, or a validated constraint proves it.

    https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
    """
    relation = qualify_range(statement.node["relation"], context.schema)
    table = context.schema.tables.get(relation) if context.schema else None
    if table is not None and column in table.columns and table.columns[column].not_null:
        return True
    validated = _list_validated(context, statement, relation)
    proving = _list_proving(table, column) if table else {}
    if any(valid or name in validated for name, valid in proving.items()):
        return True
    # A constraint of the same transaction has kept its lock since it was added.
    added = _list_added(context, statement, relation, column)
    return any(validated.get(name, statement.segment) != statement.segment for name in added)


def _list_proving(table: TableFacts, column: str) -> dict[str, bool]:
    """Return the constraints of a table that prove a column not null once they are valid, and whether they are."""
    found: dict[str, bool] = {}
    for constraint in table.constraints:
        if constraint.kind == "n" and constraint.columns == (column,):
            found[constraint.name] = constraint.validated
        match = _CHECK.match(constraint.definition) if constraint.kind == "c" else None
        terms = match[1].replace("(", "").replace(")", "").split(" AND ") if match else []
        if f"{column} IS NOT NULL" in terms or f'"{column}" IS NOT NULL' in terms:
            found[constraint.name] = constraint.validated
    return found


def _list_validated(context: LintContext, statement: LintedStatement, relation: str) -> dict[str, int]:
    """Return the constraints of a table that the file validates before a statement, with the segments in which it does."""
    return {
        command["name"]: each.segment
        for each in context.file.statements[: statement.number - 1]
        if each.kind == "AlterTableStmt" and qualify_range(each.node["relation"], context.schema) == relation
        for command in list_commands(each)
        if command.get("subtype") == "AT_ValidateConstraint"
    }


def _list_added(context: LintContext, statement: LintedStatement, relation: str, column: str) -> Iterator[str]:
    """Yield the constraints that the file adds before a statement, and that prove a column not null once they are valid."""
    for each in context.file.statements[: statement.number - 1]:
        if each.kind != "AlterTableStmt" or qualify_range(each.node["relation"], context.schema) != relation:
            continue
        for command in list_commands(each):
            constraint: Node = command.get("def", {}).get("Constraint", {})
            if constraint.get("contype") == "CONSTR_NOTNULL" and read_names(constraint.get("keys")) == (column,):
                yield constraint.get("conname", "")
            test = constraint.get("raw_expr", {}).get("NullTest", {})
            names = read_names(test.get("arg", {}).get("ColumnRef", {}).get("fields"))
            if test.get("nulltesttype") == "IS_NOT_NULL" and names[-1:] == (column,):
                yield constraint.get("conname", "")


def find_used_enum_value(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each statement that uses a value which its own transaction added to an enum type."""
    added: dict[str, tuple[LintedStatement, str]] = {}
    created: set[str] = set()
    for statement in context.file.statements:
        if statement.kind == "CreateEnumStmt":
            created.add(qualify(read_names(statement.node.get("typeName")), context.schema))
        for value in _list_literals(statement.node) & added.keys():
            adding, name = added[value]
            if not (statement.transactional and adding.segment == statement.segment):
                continue
            message = (
                f"line {adding.line} adds the value '{value}' to {name} in the same transaction, and PostgreSQL refuses "
                "to use it before that is committed"
            )
            yield LintFinding(
                context.file.shown,
                statement.line,
                "enum-value-used",
                message,
                context.file.version,
                statement.number,
                name=name,
            )
        if statement.kind == "AlterEnumStmt" and statement.node.get("newVal") and not statement.node.get("oldVal"):
            name = qualify(read_names(statement.node.get("typeName")), context.schema)
            if name not in created:
                added[statement.node["newVal"]] = (statement, name)


def _list_literals(node: Node) -> set[str]:
    """Return the string constants of a statement."""
    constants = [value for key, value in walk(node) if key == "A_Const" and isinstance(value, dict)]
    return {each["sval"]["sval"] for each in constants if "sval" in each.get("sval", {})}


def _describe(context: LintContext, statement: LintedStatement, number: int, column: str, rule: str, message: str) -> LintFinding:
    relation = qualify_range(statement.node["relation"], context.schema)
    return LintFinding(
        context.file.shown,
        find_line(statement, number),
        rule,
        message.replace("{relation}", relation),
        context.file.version,
        statement.number,
        relation,
        column,
        command=number,
    )
