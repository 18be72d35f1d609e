"""Which findings are none: what a file does to new or small tables, under a lock taken on purpose, or after the deployment."""

from __future__ import annotations

from tasks.lint.model import LintContext, LintedStatement, LintFinding, LintRule
from tasks.lint.trees import list_created, qualify_range
from tasks.runner.events.numbers import RelationNumbers

SMALL_ROWS = 10_000
SMALL_BYTES = 10 * 1024 * 1024
"""A table with at most so many rows and bytes, with its indexes, is read or written in some milliseconds."""
_UNCOUNTED_BYTES = 1024 * 1024
"""The same for a table whose rows are not known, because it was never analysed."""
BUSY_PER_SECOND = 1.0
"""A table that is used less often than this is not busy: its users hardly meet a lock of an instant."""


def is_moot(context: LintContext, rule: LintRule, finding: LintFinding) -> bool:
    """Return True for a finding that a reviewer would wave through, by what is known of its table and its file."""
    if rule.after_deploy and context.file.after_deploy:
        return True
    if not finding.relation or not finding.statement:
        return False
    statement = context.file.statements[finding.statement - 1]
    if is_new(context, finding.relation, statement.number):
        return True
    if rule.small and is_small(context, finding.relation):
        return True
    return bool(rule.lock) and is_locked(context, statement, finding.relation, rule.lock)


def is_new(context: LintContext, relation: str, statement: int) -> bool:
    """Return True if the file creates a relation before a statement, or if it does not exist in the environment."""
    created = list_created(context.file, context.schema).get(relation, 0)
    return 0 < created < statement or created == statement or relation in context.created


def is_small(context: LintContext, relation: str) -> bool:
    """Return True if a table has few rows in the environment, with all its partitions; False if that is not known."""
    found = _find_numbers(context, relation)
    if found is None:
        return False
    parts = [found, *_list_parts(context, relation)]
    size = sum(each.heap_bytes + each.index_bytes for each in parts)
    counted = [each.rows for each in parts if each.rows >= 0 and each.kind != "p"]
    if len(counted) < sum(each.kind != "p" for each in parts):
        return size <= _UNCOUNTED_BYTES
    return sum(counted) <= SMALL_ROWS and size <= SMALL_BYTES


def is_busy(context: LintContext, relation: str) -> bool:
    """Return True if a table is used often in the environment, or if that is not known."""
    found = _find_numbers(context, relation)
    if found is None:
        return True
    parts = [found, *_list_parts(context, relation)]
    if any(each.reads is None or each.writes is None for each in parts):
        return True
    return sum((each.reads or 0) + (each.writes or 0) for each in parts) >= BUSY_PER_SECOND


def is_locked(context: LintContext, statement: LintedStatement, relation: str, lock: int) -> bool:
    """Return True if the file took a lock on a relation with LOCK TABLE, in the same transaction and before a statement."""
    return any(
        each.kind == "LockStmt"
        and each.number < statement.number
        and each.segment == statement.segment
        and int(each.node.get("mode", 0)) >= lock
        and relation in {qualify_range(named["RangeVar"], context.schema) for named in each.node.get("relations", ())}
        for each in context.file.statements
    )


def _find_numbers(context: LintContext, relation: str) -> RelationNumbers | None:
    if context.numbers is None:
        return None
    return next((each for each in context.numbers.relations if each.relation == relation), None)


def _list_parts(context: LintContext, relation: str) -> list[RelationNumbers]:
    """Return the numbers of the partitions and children of a table."""
    tables = context.schema.tables.values() if context.schema else ()
    children = [table.name for table in tables if relation in table.parents]
    own = [found for name in children if (found := _find_numbers(context, name)) is not None]
    return own + [each for name in children for each in _list_parts(context, name)]
