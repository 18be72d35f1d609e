"""Run each statement of a file in a transaction of its own, so that its locks are seen apart from those before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tasks.runner.parsing import Script, Segment, Statement
from tasks.runner.planning.plan import Step

_TOGETHER = frozenset({"DeclareCursorStmt", "FetchStmt", "ClosePortalStmt"})
"""Cursors end with their transaction."""
_SAVEPOINT = re.compile(r"SAVEPOINT\s+(\S+)", re.IGNORECASE)
_ROLLBACK_TO = re.compile(r"ROLLBACK\s+(?:WORK\s+|TRANSACTION\s+)?TO\s+(?:SAVEPOINT\s+)?(\S+)", re.IGNORECASE)
_LOCKS_NOTHING = frozenset({"TransactionStmt", "VariableSetStmt", "ConstraintsSetStmt"})
_SET_LOCAL = re.compile(r"SET\s+LOCAL\b", re.IGNORECASE)


def needs_separation(script: Script) -> bool:
    """Return True if the locks of several statements add up in a transaction."""
    counts = (sum(statement.kind not in _LOCKS_NOTHING for statement in segment.statements) for segment in script.segments)
    return any(count > 1 for count in counts)


def separate(step: Step) -> Step:
    """Return a step with one transaction for each statement, except where the statements need a common one.

    What a rollback to a savepoint undoes is left out. What SET LOCAL sets for the transaction is set for the session.
    """
    segments = [part for segment in step.script.segments for part in _divide(segment)]
    return replace(step, script=replace(step.script, segments=tuple(segments)))


def _divide(segment: Segment) -> list[Segment]:
    if not segment.transactional or any(statement.kind in _TOGETHER for statement in segment.statements):
        return [segment]
    kept = [statement for statement in _without_rolled_back(segment.statements) if statement.kind != "TransactionStmt"]
    return [replace(segment, statements=(_keep_setting(statement),)) for statement in kept] or [segment]


def _without_rolled_back(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements without those between a savepoint and the rollback to it, which leave nothing behind."""
    kept: list[Statement] = []
    for statement in statements:
        back = _ROLLBACK_TO.match(statement.text) if statement.kind == "TransactionStmt" else None
        if back:
            begun = [place for place, each in enumerate(kept) if (found := _SAVEPOINT.match(each.text)) and found[1] == back[1]]
            # The savepoint stays, for another rollback to it.
            del kept[begun[-1] + 1 if begun else len(kept) :]
        else:
            kept.append(statement)
    return kept


def _keep_setting(statement: Statement) -> Statement:
    if statement.kind != "VariableSetStmt" or not _SET_LOCAL.match(statement.text):
        return statement
    return replace(statement, content=_SET_LOCAL.sub("SET", statement.text, count=1), session=True)
