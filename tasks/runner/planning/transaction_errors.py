"""Errors that a statement raises because of its transaction: which of them it does not raise outside of one, and what helps.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re

from tasks.runner.parsing import Segment, Statement
from tasks.runner.parsing.script import select
from tasks.runner.planning.plan import Step

_IN_BLOCK, _ENDS, _READ_ONLY = "25001", "2D000", "25006"
_COMMITTING = frozenset({"CallStmt", "DoStmt"})
_CARRIERS = _COMMITTING | {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "ExecuteStmt", "ExplainStmt"}
"""Statements that call functions: what the server refuses in a transaction block, it refuses in functions everywhere."""
_SETS_READ_ONLY = re.compile(r"\bread\s+only\b|transaction_read_only'?\s*(?:=|to\b|,)\s*'?(?:on|true|yes|1)\b", re.IGNORECASE)


def runs_outside(sqlstate: str | None, statement: Statement) -> bool:
    """Return True for an error that a statement may not raise when it runs outside a transaction block."""
    if sqlstate == _ENDS:
        return statement.kind in _COMMITTING
    # SET TRANSACTION after a query raises the same error, and has no effect outside a transaction.
    return sqlstate == _IN_BLOCK and statement.kind not in _CARRIERS | {"", "VariableSetStmt"}


def find_transaction_hint(sqlstate: str | None, step: Step, statement: Statement | None) -> str:
    """Return what helps against an error that a statement raises because of its transaction; empty for other errors.

    It never suggests what the file has already, nor the directive no-transaction, which is only needed where the statement
    cannot show that it may commit.
    """
    if sqlstate == _READ_ONLY:
        return _find_read_only(step, statement)
    if sqlstate not in (_IN_BLOCK, _ENDS) or statement is None:
        return ""
    if statement.transactional and runs_outside(sqlstate, statement):
        return _describe_obstacle(step, statement)
    if sqlstate == _ENDS:
        return (
            "COMMIT and ROLLBACK are possible in a DO block and in a procedure that CALL runs, but not through a function,\n"
            "inside a block with EXCEPTION, or in a procedure with SET or SECURITY DEFINER."
        )
    if statement.kind == "VariableSetStmt":
        return "The mode of a transaction is set before its first query: move the statement to the top of the file."
    if statement.kind in _CARRIERS:
        return "It cannot run inside a function or a DO block: write it as a statement of its own, with its names written out."
    if not statement.kind and statement.transactional:
        return "Move the statement to a file of its own, with `-- migrate: no-transaction` at the top."
    return "Move the statement to a file of its own: statements that are sent together share a transaction."


def _describe_obstacle(step: Step, statement: Statement) -> str:
    """Return why a statement did not run outside a transaction."""
    if step.action == "seed":
        return "A seed runs in one transaction. Move the statement to a migration: inv db.new NAME"
    if statement.pair:
        return "End the transaction of the file before it, and begin another one after it:\nCOMMIT;\n…\nBEGIN;"
    return (
        "It runs outside a transaction, where a pooler does not keep the settings that the file makes before it.\n"
        "Set DIRECT_DATABASE_URL to a URL of the server itself, or remove the settings."
    )


def _find_read_only(step: Step, statement: Statement | None) -> str:
    """Return which statement of the file made the transaction read-only; empty if none did."""
    for segment in step.script.segments:
        if statement is not None and segment.statements and segment.statements[0].offset > statement.offset:
            return ""
        if _SETS_READ_ONLY.search(segment.begin):
            return f"The file makes its transaction read-only: {segment.begin}. Write BEGIN without READ ONLY."
        for each in select(segment.statements, {"VariableSetStmt", "SelectStmt"}):
            if statement is not None and each.offset > statement.offset:
                return ""
            if _SETS_READ_ONLY.search(each.text):
                cause = f"Line {each.line} makes the transaction read-only: {each.label}."
                return f"{cause} {_describe_undoing(segment, step, statement)}"
    return ""


def _describe_undoing(setter: Segment, step: Step, statement: Statement | None) -> str:
    """Return how to undo the mode that a statement of a segment set: a committed statement may not be deleted."""
    failed = next((each for each in step.script.segments if statement in each.statements), setter)
    if failed is setter:
        return "Delete that statement."
    # In a transaction of its own: a lone SET would join the committed segment, which a run then refuses as changed.
    undoing = "BEGIN READ WRITE; SET default_transaction_read_only = off; COMMIT;"
    if failed.statements[0].pair:
        undoing = "SET transaction_read_only = off;"
    return f"It is committed, so insert above line {failed.statements[0].line}:\n{undoing}"
