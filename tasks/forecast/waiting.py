"""Which open transactions of a live database a statement would wait for now."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.forecast.live_relations import LiveRelations
from tasks.forecast.model import ObservedStatement
from tasks.postgres.lock_modes import conflict
from tasks.runner.events.numbers import OpenTransaction, RelationLock

_WAITED_FOR = {
    "IndexStmt": "ShareLock",
    "ReindexStmt": "AccessExclusiveLock",
    "DropStmt": "AccessExclusiveLock",
    "AlterTableStmt": "AccessExclusiveLock",
}
"""The lock for whose conflicts a concurrent statement waits, though it never requests it (WaitForLockers). Sources, in
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/: commands/indexcmds.c (DefineIndex,
ReindexRelationConcurrently), catalog/index.c (index_drop), commands/tablecmds.c (ATExecDetachPartition)."""


def list_waits(statement: ObservedStatement, live: LiveRelations) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the processes whose open transactions are in the way of a statement, and a sentence for each that has no process."""
    requests = {*statement.locks, *statement.briefly, *_list_unrequested(statement)}
    open_now = live.numbers.transactions if live.numbers else ()
    in_the_way = [each for each in open_now if _is_in_the_way(each, statement, requests)]
    prepared = (
        f"it waits for the prepared transaction {each.prepared}, which has no pid: see pg_prepared_xacts"
        for each in in_the_way
        if each.prepared
    )
    return tuple(sorted({each.pid for each in in_the_way if each.pid})), tuple(prepared)


def _list_unrequested(statement: ObservedStatement) -> Iterator[RelationLock]:
    if statement.transactional or statement.node not in _WAITED_FOR:
        return
    for each in statement.locks:
        if each.mode == "ShareUpdateExclusiveLock":
            yield RelationLock(each.relation, _WAITED_FOR[statement.node])


def _is_in_the_way(transaction: OpenTransaction, statement: ObservedStatement, requests: set[RelationLock]) -> bool:
    """Return True if a statement waits for a transaction: for a lock, or for its snapshot.

    An autovacuum is cancelled for a session that waits for its lock, unless it prevents wraparound. No statement waits for its
    snapshot:
    https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
    """
    if transaction.autovacuum and not transaction.wraparound:
        return False
    if statement.needs_old_transactions_to_end and transaction.snapshot and not transaction.autovacuum:
        return True
    pairs = ((lock, request) for lock in transaction.locks for request in requests if lock.relation == request.relation)
    return any(conflict(request.mode, lock.mode) for lock, request in pairs)
