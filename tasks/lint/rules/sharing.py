"""Rules about what a transaction keeps until its end: the locks on tables, and those of the rows that it changes."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.lint.model import LintContext, LintedStatement, LintFinding, Node
from tasks.lint.moot import is_busy, is_locked, is_new
from tasks.lint.rules.rows import is_large
from tasks.lint.trees import list_commands, list_targets, qualify_range
from tasks.postgres.lock_modes import MODES

_EXCLUSIVE = 8
_BLOCKS_WRITES = 5
_ADDS_REFERENCE = 6
"""A foreign key: https://www.postgresql.org/docs/current/sql-altertable.html"""
_ROWS = {"UpdateStmt": "UPDATE", "DeleteStmt": "DELETE"}
_NO_SCHEMA_CHANGE = frozenset({"LockStmt", "InsertStmt", "SelectStmt", "MergeStmt", "DoStmt", "CallStmt", "CopyStmt", *_ROWS})
_LIGHT = frozenset(
    {
        "AT_AddOf",
        "AT_AttachPartition",
        "AT_ClusterOn",
        "AT_DropCluster",
        "AT_ResetOptions",
        "AT_ResetRelOptions",
        "AT_SetOptions",
        "AT_SetRelOptions",
        "AT_SetStatistics",
        "AT_ValidateConstraint",
    }
)
"""The commands with SHARE UPDATE EXCLUSIVE: https://www.postgresql.org/docs/current/sql-altertable.html"""


def find_several_locks(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each transaction that gets ACCESS EXCLUSIVE on a second busy table, at that statement."""
    for segment in sorted({each.segment for each in context.file.statements if each.transactional}):
        locked: list[str] = []
        for statement in context.file.statements:
            if statement.segment != segment:
                continue
            new = [each for each in list_exclusive(context, statement) if each not in locked]
            if locked and new:
                message = (
                    f"the transaction locks {new[0]} while it keeps its ACCESS EXCLUSIVE lock on {locked[0]}: "
                    "a session that waits for one table waits for both"
                )
                yield _describe(context, statement, "several-exclusive-locks", message, new[0])
                break
            locked += new


def list_exclusive(context: LintContext, statement: LintedStatement) -> list[str]:
    """Return the busy tables on which a statement gets ACCESS EXCLUSIVE; those of a partitioned table count as one."""
    tables = [name for name, mode in list_locks(context, statement) if mode == _EXCLUSIVE]
    if statement.kind == "DropStmt" and context.file.after_deploy:
        return []
    return [
        name
        for name in dict.fromkeys(_find_root(context, table) for table in tables)
        if is_busy(context, name)
        and not is_new(context, name, statement.number)
        and not is_locked(context, statement, name, _EXCLUSIVE)
    ]


def _find_root(context: LintContext, relation: str) -> str:
    table = context.schema.tables.get(relation) if context.schema else None
    return _find_root(context, table.parents[0]) if table is not None and table.parents else relation


def list_locks(context: LintContext, statement: LintedStatement) -> list[tuple[str, int]]:
    """Return the tables that a statement locks, with the number of the lock: as observed, else as the syntax shows."""
    if statement.kind == "LockStmt" or not statement.transactional:
        return []
    tables = context.schema.tables if context.schema else {}
    observed = next((each for each in context.observed or () if each.number == statement.number), None)
    if observed is not None:
        locks = [(lock.relation, MODES.index(lock.mode) + 1) for lock in observed.locks if lock.mode in MODES]
        return [(name, mode) for name, mode in locks if name in tables and tables[name].kind in "rpm"]
    named = (name for name in list_targets(statement, context.schema) if name not in tables or tables[name].kind in "rpm")
    return [(name, _guess_lock(statement)) for name in named]


def _guess_lock(statement: LintedStatement) -> int:
    if statement.kind == "IndexStmt":
        return _BLOCKS_WRITES
    if statement.kind in ("CreateTrigStmt", "AlterTableStmt"):
        return max(map(_guess_lock_of_command, list_commands(statement)), default=0)
    if statement.node.get("renameType") == "OBJECT_INDEX":
        # https://www.postgresql.org/docs/current/sql-alterindex.html
        return 0
    return _EXCLUSIVE if statement.kind in ("DropStmt", "RenameStmt", "TruncateStmt") else 0


def _guess_lock_of_command(command: Node) -> int:
    if command.get("subtype") in _LIGHT:
        return 0
    constraint: Node = command.get("def", {}).get("Constraint", {})
    return _ADDS_REFERENCE if constraint.get("contype") == "CONSTR_FOREIGN" else _EXCLUSIVE


def find_shared_update(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each UPDATE or DELETE of many rows that shares a transaction with a schema change."""
    for statement in context.file.statements:
        if statement.kind not in _ROWS or not is_large(context, statement):
            continue
        relation = qualify_range(statement.node["relation"], context.schema)
        change, line = _find_shared(context, statement)
        if change:
            message = (
                f"this {_ROWS[statement.kind]} of many rows shares a transaction with the schema change of {change} in line "
                f"{line}: the locks of both are kept until both have ended"
            )
            yield _describe(context, statement, "update-with-schema-change", message, relation)


def find_large_change(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each UPDATE or DELETE of many rows, unless its transaction changes the schema too."""
    for statement in context.file.statements:
        if statement.kind in _ROWS and is_large(context, statement) and not _find_shared(context, statement)[0]:
            relation = qualify_range(statement.node["relation"], context.schema)
            message = (
                f"this {_ROWS[statement.kind]} of many rows of {relation} is one transaction: each row that it changes stays "
                "locked until it has changed all of them"
            )
            yield _describe(context, statement, "update-of-many-rows", message, relation)


def _find_shared(context: LintContext, statement: LintedStatement) -> tuple[str, int]:
    """Return a table whose schema the transaction of a statement changes, and the line; an empty name if there is none."""
    others = [each for each in context.file.statements if each.segment == statement.segment and statement.transactional]
    changes = ((_find_change(context, statement, other), other.line) for other in others)
    return next((change for change in changes if change[0]), ("", 0))


def _find_change(context: LintContext, statement: LintedStatement, other: LintedStatement) -> str:
    """Return a table whose schema another statement changes under a lock that keeps out writers, or "" if there is none."""
    if other.kind in _NO_SCHEMA_CHANGE:
        return ""
    for name, mode in list_locks(context, other):
        if mode >= _BLOCKS_WRITES and not is_new(context, name, max(other.number, statement.number)):
            locked = [is_locked(context, each, name, _BLOCKS_WRITES) for each in (statement, other)]
            if not all(locked):
                return name
    return ""


def _describe(context: LintContext, statement: LintedStatement, rule: str, message: str, relation: str) -> LintFinding:
    return LintFinding(context.file.shown, statement.line, rule, message, context.file.version, statement.number, relation)
