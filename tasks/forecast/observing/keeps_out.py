"""Which operations of other sessions wait for a statement's locks, on which tables.

What each operation locks: https://www.postgresql.org/docs/current/explicit-locking.html. A query also locks the indexes of its
tables, the target of a write as strongly as the table itself. A check of a foreign key locks the other table; a row that is
written into a partition is compared with its bounds, which are read from its parent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tasks.forecast.model import Operation
from tasks.forecast.observing.effects import StatementEffects
from tasks.forecast.observing.relations import INDEXES, Counts, ScratchRelation, ScratchSchema
from tasks.postgres.lock_modes import ACCESS_SHARE, ROW_EXCLUSIVE, ROW_SHARE, SHARE, conflict

OPERATIONS: tuple[Operation, ...] = ("select", "insert", "update", "delete", "ddl")
_ON_TABLE: Mapping[Operation, str] = {
    "select": ACCESS_SHARE,
    "insert": ROW_EXCLUSIVE,
    "update": ROW_EXCLUSIVE,
    "delete": ROW_EXCLUSIVE,
    "ddl": SHARE,
}
_ON_INDEX: Mapping[Operation, str] = {name: mode for name, mode in _ON_TABLE.items() if name != "ddl"}
_POSSIBLE: Mapping[str, set[Operation]] = {"m": {"select", "ddl"}}
"""The operations that a kind of relation has: no statement writes to the rows of a materialized view."""
_WRITES = re.compile(r"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\b")
_WEAK = re.compile(r"\bfor\s+(key\s+share|share|no\s+key\s+update)\b")
_LOCKING = re.compile(r"\bfor\s+(?:no\s+key\s+)?update\b|\bfor\s+(?:key\s+)?share\b")

Kept = tuple[int, Operation]


def find_kept_out(schema: ScratchSchema, effects: StatementEffects, words: str, kind: str) -> dict[str, tuple[Operation, ...]]:
    """Return the operations that wait, by the names of the tables; `words` is the text of the statement in lower case."""
    found: dict[int, set[Operation]] = defaultdict(set)
    for oid, mode in effects.locks:
        for table, operation in _list_kept_out(schema, oid, mode):
            found[table].add(operation)
    for table, operation in _list_kept_by_rows(schema, effects, words, kind):
        found[table].add(operation)
    for oid in effects.changed:
        if schema.relations[oid].kind in "rpm":
            found[oid].add("ddl")
    _add_cascades(schema, found)
    named = {
        schema.relations[oid].name: operations & _POSSIBLE.get(schema.relations[oid].kind, operations)
        for oid, operations in found.items()
        if oid in schema.relations
    }
    return {name: tuple(each for each in OPERATIONS if each in named[name]) for name in sorted(named) if named[name]}


def _add_cascades(schema: ScratchSchema, found: dict[int, set[Operation]]) -> None:
    """Add the deletes that wait because they delete from a table whose deletes wait."""
    waiting = [oid for oid, operations in found.items() if "delete" in operations]
    while waiting:
        oid = waiting.pop()
        for key in schema.foreign_keys:
            if key.deletes and key.table == oid and "delete" not in found[key.referenced]:
                found[key.referenced].add("delete")
                waiting.append(key.referenced)


def _list_kept_out(schema: ScratchSchema, oid: int, mode: str) -> Iterator[Kept]:
    relation = schema.relations[oid]
    if relation.kind == "S":
        if conflict(mode, ROW_EXCLUSIVE):
            yield from ((table, "insert") for table in schema.sequences.get(oid, ()))
        return
    on_index = relation.kind in INDEXES
    table = relation.table if on_index else oid
    needed = _ON_INDEX if on_index else _ON_TABLE
    yield from ((table, operation) for operation, need in needed.items() if conflict(mode, need))
    for key in schema.foreign_keys:
        if key.referenced == table and conflict(mode, ROW_SHARE):
            yield key.table, "insert"
        if key.table == table and conflict(mode, ROW_EXCLUSIVE if key.cascades else ROW_SHARE):
            yield key.referenced, "delete"
    if relation.kind == "p" and conflict(mode, ACCESS_SHARE):
        for partition in schema.list_leaves(oid):
            yield partition, "insert"
            yield partition, "update"
    if not on_index:
        yield from _list_kept_by_triggers(schema, relation, mode)


def _list_kept_by_triggers(schema: ScratchSchema, relation: ScratchRelation, mode: str) -> Iterator[Kept]:
    """Yield the operations whose triggers use a table, as far as their functions name it."""
    if not conflict(mode, ROW_EXCLUSIVE) or not schema.triggers:
        return
    name = re.compile(rf"\b{re.escape(relation.name.rpartition('.')[2].strip(chr(34)).lower())}\b")
    for trigger in schema.triggers:
        if trigger.table != relation.oid and name.search(trigger.text):
            need = ROW_EXCLUSIVE if _WRITES.search(trigger.text) else ACCESS_SHARE
            if conflict(mode, need):
                yield from ((trigger.table, operation) for operation in trigger.operations)


def _list_kept_by_rows(schema: ScratchSchema, effects: StatementEffects, words: str, kind: str) -> Iterator[Kept]:
    """Yield the operations that wait for rows which a statement updates, deletes or locks, if they need the same rows."""
    updated, deleted, locked = _find_rows(schema, effects, words, kind)
    weak = _WEAK.search(words) if kind == "SelectStmt" else None
    # The check of a foreign key locks rows FOR KEY SHARE.
    keys = deleted if weak else deleted | locked
    for oid in updated | deleted | locked:
        if not (weak and weak[1].startswith("key") and oid in locked):
            yield oid, "update"
        yield oid, "delete"
    for key in schema.foreign_keys:
        if key.table in keys or (key.table in updated | locked and key.cascades):
            yield key.referenced, "delete"
        if key.referenced in keys:
            yield key.table, "insert"
        written = effects.rows.get(key.table, Counts())
        if written.inserted + written.updated and (key.referenced, ROW_SHARE) in effects.locks:
            yield key.referenced, "delete"


def _find_rows(schema: ScratchSchema, effects: StatementEffects, words: str, kind: str) -> tuple[set[int], set[int], set[int]]:
    """Return the tables of which a statement updates, deletes and locks rows.

    One that found none of its rows on scratch finds them elsewhere: then its target counts.
    """
    updated = {oid for oid, each in effects.rows.items() if each.updated > 0}
    deleted = {oid for oid, each in effects.rows.items() if each.deleted > 0}
    tables = [lock for lock in effects.locks if schema.relations[lock[0]].kind in "rpm"]
    if not updated | deleted and not any(each.inserted > 0 for each in effects.rows.values()):
        targets = {oid for oid, mode in tables if mode == ROW_EXCLUSIVE}
        if kind == "UpdateStmt" or (kind in ("InsertStmt", "MergeStmt") and "update" in words):
            updated = targets
        elif kind == "DeleteStmt":
            deleted = targets
    locked = {oid for oid, mode in tables if mode == ROW_SHARE}
    return updated, deleted, locked if kind == "SelectStmt" and _LOCKING.search(words) else set()
