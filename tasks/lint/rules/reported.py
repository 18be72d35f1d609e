"""Squawk's rules that are on: what they mean here, and which of their warnings are no finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from tasks.lint.model import LintContext, LintedStatement, LintFinding, Node, SquawkWarning
from tasks.lint.trees import (
    list_commands,
    list_constraints,
    list_targets,
    qualify_range,
    read_created,
    read_dropped,
    read_names,
)

Accept = Callable[[LintContext, LintedStatement, Node], bool]
"""Returns whether a warning about a statement, and a command of an ALTER TABLE, is a finding."""

_BUILDS_INDEX = frozenset({"CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_FOREIGN"})
_ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
"""What a foreign key does, by the letter of the parse tree; NO ACTION is not written in definitions."""
_ACTION = re.compile(r"ON (?:DELETE|UPDATE) (?:RESTRICT|CASCADE|SET NULL|SET DEFAULT)")
_CODE_USES_NO_INDEX = frozenset({"OBJECT_INDEX", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"})


def find_reported(
    rule: str, message: str, accept: Accept | None = None, *, about_table: bool = True
) -> Callable[[LintContext], Iterator[LintFinding]]:
    """Return the function that yields squawk's warnings of one rule; `about_table`: whether it is moot for some tables."""

    def find(context: LintContext) -> Iterator[LintFinding]:
        seen: set[tuple[int, int]] = set()
        for warning in context.squawk:
            place = (warning.statement, warning.command)
            statement = context.file.statements[warning.statement - 1]
            if warning.rule != rule or place in seen or _is_of_parent_only(context, statement):
                continue
            seen.add(place)
            command = _find_command(statement, warning)
            if accept is None or accept(context, statement, command):
                found = _describe(context, statement, warning, command, message)
                yield found if about_table else replace(found, relation="")

    return find


def is_not_built_as_index(_context: LintContext, _statement: LintedStatement, command: Node) -> bool:
    """Return True for a CHECK, which can be added NOT VALID; other rules report the other constraints."""
    constraint = _read_constraint(command)
    return constraint.get("contype") not in _BUILDS_INDEX


def is_read(context: LintContext, statement: LintedStatement, command: Node) -> bool:
    """Return True unless a new foreign key reads no row.

    All values of a new column without a default are null, and a valid key of a partition becomes a part of that of its parent:
    https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/parser/parse_utilcmd.c (skipValidation) and
    https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/commands/tablecmds.c (tryAttachPartitionForeignKey)
    """
    if _is_on_partitions(context, statement, _read_constraint(command)):
        return False
    kinds = {each.get("contype") for each in list_constraints(command.get("def", {}).get("ColumnDef", {}))}
    return command.get("subtype") != "AT_AddColumn" or "CONSTR_DEFAULT" in kinds


def _is_on_partitions(context: LintContext, statement: LintedStatement, node: Node) -> bool:
    """Return True for a foreign key of a partitioned table that each partition has already, and that is valid there."""
    if context.schema is None or "pktable" not in node:
        return False
    targets, columns = list_targets(statement, context.schema), read_names(node.get("fk_attrs"))
    reference = qualify_range(node["pktable"], context.schema)
    letters = {"DELETE": node.get("fk_del_action"), "UPDATE": node.get("fk_upd_action")}
    actions = {f"ON {verb} {_ACTIONS[letter]}" for verb, letter in letters.items() if letter in _ACTIONS}
    partitions = [table for table in context.schema.tables.values() if not set(targets).isdisjoint(table.parents)]
    return bool(partitions) and all(
        any(
            key.kind == "f"
            and key.validated
            and (key.columns, key.references) == (columns, reference)
            and set(_ACTION.findall(key.definition)) == actions
            and ("DEFERRABLE" in key.definition) == bool(node.get("deferrable"))
            for key in table.constraints
        )
        for table in partitions
    )


def is_validated(_context: LintContext, statement: LintedStatement, _command: Node) -> bool:
    """Return True for a constraint of a domain that is not added NOT VALID."""
    return not statement.node.get("def", {}).get("Constraint", {}).get("skip_validation", False)


def rewrites_table(context: LintContext, statement: LintedStatement, _command: Node) -> bool:
    """Return True unless the replay shows that the table was not rewritten."""
    return was_rewritten(context, statement) is not False


def was_rewritten(context: LintContext, statement: LintedStatement) -> bool | None:
    """Return whether a statement rewrote its table or an index of it on scratch; None if that is not known."""
    tables = set(list_targets(statement, context.schema))
    indexes = {name for name, table in (context.schema.index_tables if context.schema else {}).items() if table in tables}
    observed = next((each for each in context.observed or () if each.number == statement.number), None)
    if observed is None or observed.source != "observed":
        return None
    return not (tables | indexes).isdisjoint(observed.rewrites)


def is_not_recreated(context: LintContext, statement: LintedStatement, _command: Node) -> bool:
    """Return True for a DROP of an object that no statement after it in the same transaction creates again."""
    later = [
        read_created(each)
        for each in context.file.statements[statement.number :]
        if each.segment == statement.segment and each.transactional
    ]
    made = {name[-1] for _, name in later if name}
    return any(name[-1] not in made for name in read_dropped(statement))


def is_named_by_code(_context: LintContext, statement: LintedStatement, _command: Node) -> bool:
    """Return True for a rename of what the queries of an application name: neither an index nor a constraint."""
    return statement.node.get("renameType") not in _CODE_USES_NO_INDEX


def _is_of_parent_only(context: LintContext, statement: LintedStatement) -> bool:
    """Return True for an index or a constraint of a partitioned table alone, which has no rows: those of partitions are attached.

    https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
    """
    adds = all(command.get("subtype") == "AT_AddConstraint" for command in list_commands(statement))
    if statement.kind not in ("IndexStmt", "AlterTableStmt") or not adds or statement.node.get("relation", {}).get("inh", False):
        return False
    tables = context.schema.tables if context.schema else {}
    return any(name in tables and tables[name].kind == "p" for name in list_targets(statement, context.schema))


def _find_command(statement: LintedStatement, warning: SquawkWarning) -> Node:
    commands = list_commands(statement)
    return commands[warning.command] if 0 <= warning.command < len(commands) else {}


def _read_constraint(command: Node) -> Node:
    constraint: Node = command.get("def", {}).get("Constraint", {})
    return constraint


def _describe(
    context: LintContext, statement: LintedStatement, warning: SquawkWarning, command: Node, message: str
) -> LintFinding:
    relations = list_targets(statement, context.schema)
    column = command.get("name") or command.get("def", {}).get("ColumnDef", {}).get("colname", "")
    name = _read_constraint(command).get("conname") or statement.node.get("idxname", "")
    if statement.kind == "RenameStmt":
        column = statement.node.get("subname", "") if statement.node.get("renameType") == "OBJECT_COLUMN" else ""
    return LintFinding(
        context.file.shown,
        warning.line,
        warning.rule,
        message.format(relation=", ".join(relations) or "it", column=column),
        context.file.version,
        statement.number,
        relations[0] if relations else "",
        column,
        name,
        warning.command,
    )
