"""The locks of a statement outside a transaction: from the table of facts, with the relations of the scratch database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tasks.forecast.observing.relations import INDEXES, Counts, ScratchRelation, ScratchSchema
from tasks.postgres.lock_modes import ACCESS_SHARE, ROW_EXCLUSIVE
from tasks.postgres.outside_locks import NO_RELATION, NamedRelations, OutsideLocks, Role, find_outside_locks
from tasks.postgres.quoting import quote_qualified
from tasks.runner.parsing import Statement

COMMITTING = frozenset({"CallStmt", "DoStmt"})
"""The statements that may commit."""
Resolve = Callable[[str], int]
"""Return the oid of the relation that a name means in the session of the statement, 0 if there is none."""


@dataclass(frozen=True, slots=True)
class KnownLocks:
    """The locks of a statement by oid and mode, for its duration and for a moment, and what is not known of it."""

    locks: frozenset[tuple[int, str]] = frozenset()
    briefly: frozenset[tuple[int, str]] = frozenset()
    waits_for_snapshots: bool = False
    not_known: tuple[str, ...] = ()


def find_known_locks(schema: ScratchSchema, statement: Statement, resolve: Resolve) -> KnownLocks:
    """Return the locks of a statement before it runs."""
    from pglast.parser import parse_sql_json

    if statement.kind in NO_RELATION or not statement.kind:
        return KnownLocks(not_known=() if statement.kind else ("its locks: the parser does not know it",))
    if statement.kind in COMMITTING:
        return KnownLocks(not_known=("the locks of statements in it that neither read nor write rows",))
    node = json.loads(parse_sql_json(statement.text))["stmts"][0]["stmt"][statement.kind]
    row = find_outside_locks(statement.kind, node)
    if row is None:
        return KnownLocks(not_known=("its locks",))
    names = row.names(node)
    found = [
        oid for schema_name, name in names.relations if (oid := resolve(quote_qualified(*filter(None, (schema_name, name)))))
    ]
    roles = dict(_find_roles(schema, row, names, found))
    return KnownLocks(
        frozenset((oid, mode) for role, mode in row.locks.items() for oid in roles.get(role, ())),
        frozenset((oid, mode) for role, mode in row.briefly.items() for oid in roles.get(role, ())),
        row.waits_for_snapshots,
    )


def find_counted_locks(schema: ScratchSchema, counts: dict[int, Counts]) -> frozenset[tuple[int, str]]:
    """Return the locks without which a block or a procedure could not have read and written the rows that it did."""
    found: set[tuple[int, str]] = set()
    for oid, each in counts.items():
        if each.written or each.scans > 0:
            mode = ROW_EXCLUSIVE if each.written else ACCESS_SHARE
            found |= {(other, mode) for other in (oid, *schema.list_indexes(oid))}
    return frozenset(found)


def _find_roles(
    schema: ScratchSchema, row: OutsideLocks, names: NamedRelations, found: list[int]
) -> Iterator[tuple[Role, tuple[int, ...]]]:
    """Yield the relations of each role."""
    if "partition" in row.locks:
        yield from (("partition", tuple(found[:1])), ("parent", tuple(found[1:])))
        return
    named = [schema.relations[oid] for oid in found if oid in schema.relations]
    if not names.relations:
        named = [each for each in schema.relations.values() if each.kind in "rm" and _is_meant(schema, each, names)]
    leaves = [leaf for each in named for leaf in schema.list_leaves(each.oid)]
    indexes = [oid for oid in leaves if oid in schema.relations and schema.relations[oid].kind in INDEXES]
    tables = sorted({schema.relations[oid].table if oid in indexes else oid for oid in leaves})
    yield "table", tuple(tables)
    yield "index", tuple(indexes)
    yield "indexes", tuple(index for table in tables for index in schema.list_indexes(table))
    yield "tree", tuple(_list_tree(schema, named))


def _list_tree(schema: ScratchSchema, named: Iterable[ScratchRelation]) -> Iterator[int]:
    """Yield the partitioned tables and indexes that are named, and their partitions."""
    for each in named:
        if each.kind in "pI":
            yield each.oid
            yield from schema.list_leaves(each.oid)


def _is_meant(schema: ScratchSchema, relation: ScratchRelation, names: NamedRelations) -> bool:
    if names.clustered:
        return any(index in schema.clustered for index in schema.list_indexes(relation.oid))
    return names.everything or relation.name.startswith(f"{quote_qualified(names.schema)}.")
