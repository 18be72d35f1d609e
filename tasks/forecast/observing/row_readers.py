"""Which statements may read or check rows, so that they are observed on tables with rows."""

from __future__ import annotations

import json
import re

from tasks.forecast.observing.rows import EXPRESSIONS
from tasks.postgres.targets import Node
from tasks.runner.parsing import Script, Statement

_READS_NONE = frozenset(
    {
        "AlterDefaultPrivilegesStmt", "AlterEnumStmt", "AlterFunctionStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt",
        "AlterPolicyStmt", "AlterSeqStmt", "CommentStmt", "CompositeTypeStmt", "CreateEnumStmt", "CreateFunctionStmt",
        "CreatePolicyStmt", "CreateSchemaStmt", "CreateSeqStmt", "CreateStmt", "CreateTrigStmt", "DropStmt", "GrantStmt",
        "RenameStmt", "TransactionStmt", "VariableSetStmt", "ViewStmt",
    }
)  # fmt: skip
"""The statements that work on the catalog only, except for the creation of a partition, which checks the default one."""
_PARTITION = re.compile(r"\bPARTITION\s+OF\b", re.IGNORECASE)
_COMMANDS_READ_NONE = frozenset(
    {
        "AT_ChangeOwner", "AT_ClusterOn", "AT_ColumnDefault", "AT_DisableRowSecurity", "AT_DisableTrig", "AT_DropColumn",
        "AT_DropConstraint", "AT_DropNotNull", "AT_EnableRowSecurity", "AT_EnableTrig", "AT_ForceRowSecurity",
        "AT_ReplicaIdentity", "AT_SetRelOptions", "AT_SetStatistics", "AT_SetStorage",
    }
)  # fmt: skip


def may_read_rows(script: Script) -> bool:
    """Return True if a statement of a file may read, write or check rows of a table that existed before."""
    return any(_reads(statement) for statement in script.statements)


def _reads(statement: Statement) -> bool:
    if statement.kind in _READS_NONE:
        return statement.kind == "CreateStmt" and _PARTITION.search(statement.text) is not None
    return not _alters_catalog(statement)


def _alters_catalog(statement: Statement) -> bool:
    """Return True for an ALTER TABLE that no row can prevent, and that reads none."""
    from pglast.parser import parse_sql_json

    if statement.kind != "AlterTableStmt":
        return False
    node = json.loads(parse_sql_json(statement.text))["stmts"][0]["stmt"]["AlterTableStmt"]
    commands = [item["AlterTableCmd"] for item in node.get("cmds", ())]
    return all(command["subtype"] in _COMMANDS_READ_NONE or _adds_plain_column(command) for command in commands)


def _adds_plain_column(command: Node) -> bool:
    """Return True for a new column without a default and constraints, whose type is not a domain."""
    column = command.get("def", {}).get("ColumnDef", {})
    if command["subtype"] != "AT_AddColumn" or column.get("constraints"):
        return False
    names = [part["String"]["sval"] for part in column["typeName"]["names"]]
    return names[-1] in EXPRESSIONS
