"""The locks of statements that run outside a transaction: no other session can look at them after each statement.

The modes of locks are by their names in pg_locks. What a statement locks only for a moment is in the manual's page of the
statement, or in the source of the server that the row names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.postgres.lock_modes import ACCESS_EXCLUSIVE, ROW_EXCLUSIVE, SHARE, SHARE_UPDATE_EXCLUSIVE
from tasks.postgres.nontransactional import is_on
from tasks.postgres.targets import Node, find_detached, read_relation_name

Role = Literal["table", "index", "indexes", "tree", "parent", "partition"]
"""What a lock is on: the tables that a statement works on (its partitions, if it is partitioned), the index that it names, the
indexes of the tables, the partitioned relations themselves, or the partition that is detached and its parent."""
_MANUAL = "https://www.postgresql.org/docs/current/"


@dataclass(frozen=True, slots=True)
class NamedRelations:
    """The relations that a statement names, as schema and name ("" means the search path), or the schema of whose it does all."""

    relations: tuple[tuple[str, str], ...] = ()
    schema: str = ""
    clustered: bool = False
    """Whether it works on the tables only that were clustered before."""

    @property
    def everything(self) -> bool:
        """Return True if it works on all tables of the database."""
        return not self.relations and not self.schema


@dataclass(frozen=True, slots=True)
class OutsideLocks:
    """The locks of a statement: for its duration, and stronger ones for a moment; `example` is tested on servers.

    `waits_for_snapshots`: whether it waits for older transactions of the database that may see what it replaces, not only for
    those that use the table.
    """

    node: str
    words: str
    page: str
    example: str
    locks: Mapping[Role, str] = field(default_factory=dict)
    briefly: Mapping[Role, str] = field(default_factory=dict)
    waits_for_snapshots: bool = False
    applies: Callable[[Node], bool] = lambda node: True
    names: Callable[[Node], NamedRelations] = lambda node: NamedRelations()
    why_briefly: str = ""

    @property
    def source(self) -> str:
        """Return the URL of the page of the manual."""
        return f"{_MANUAL}{self.page}.html"


def find_outside_locks(node_name: str, node: Node) -> OutsideLocks | None:
    """Return the locks of a statement outside a transaction, or None if they are not known."""
    return next((row for row in OUTSIDE_LOCKS if row.node == node_name and row.applies(node)), None)


def _name_relation(node: Node) -> NamedRelations:
    return NamedRelations((read_relation_name(node["relation"]),)) if "relation" in node else NamedRelations(clustered=True)


def _name_dropped(node: Node) -> NamedRelations:
    parts = [item["String"]["sval"] for item in node["objects"][0]["List"]["items"]]
    return NamedRelations(((parts[-2] if len(parts) > 1 else "", parts[-1]),))


def _name_reindexed(node: Node) -> NamedRelations:
    if "relation" in node:
        return NamedRelations((read_relation_name(node["relation"]),))
    return NamedRelations(schema=node.get("name", "") if node["kind"] == "REINDEX_OBJECT_SCHEMA" else "")


def _name_vacuumed(node: Node) -> NamedRelations:
    return NamedRelations(tuple(read_relation_name(each["VacuumRelation"]["relation"]) for each in node.get("rels", ())))


def _name_detached(node: Node) -> NamedRelations:
    partition = find_detached(node) or {}
    return NamedRelations((read_relation_name(partition["name"]), read_relation_name(node["relation"])))


def _reindexes(index: bool, *, concurrently: bool) -> Callable[[Node], bool]:
    def applies(node: Node) -> bool:
        on_index = node["kind"] == "REINDEX_OBJECT_INDEX"
        return on_index == index and is_on(node, "concurrently", "params", default=False) == concurrently

    return applies


def _vacuums(*, full: bool) -> Callable[[Node], bool]:
    return lambda node: bool(node.get("is_vacuumcmd")) and is_on(node, "full", default=False) == full


_REBUILT = (
    "Partitions are listed under a lock on each of them (commands/indexcmds.c, ReindexPartitions); the old index is dropped when "
    "no query uses it any more (ReindexRelationConcurrently)."
)
OUTSIDE_LOCKS = (
    OutsideLocks(
        "IndexStmt",
        "CREATE INDEX CONCURRENTLY",
        "sql-createindex",
        "CREATE INDEX CONCURRENTLY items_slow2_idx ON items (waiting(number))",
        {"table": SHARE_UPDATE_EXCLUSIVE},
        waits_for_snapshots=True,
        names=_name_relation,
    ),
    OutsideLocks(
        "DropStmt",
        "DROP INDEX CONCURRENTLY",
        "sql-dropindex",
        "DROP INDEX CONCURRENTLY items_name_idx",
        {"table": SHARE_UPDATE_EXCLUSIVE, "index": SHARE_UPDATE_EXCLUSIVE},
        {"index": ACCESS_EXCLUSIVE},
        names=_name_dropped,
        why_briefly="The index is dropped when no query uses it any more (catalog/index.c, index_drop).",
    ),
    OutsideLocks(
        "ReindexStmt",
        "REINDEX INDEX CONCURRENTLY",
        "sql-reindex",
        "REINDEX INDEX CONCURRENTLY items_slow_idx",
        {"table": SHARE_UPDATE_EXCLUSIVE, "index": SHARE_UPDATE_EXCLUSIVE},
        {"tree": SHARE, "index": ACCESS_EXCLUSIVE},
        waits_for_snapshots=True,
        applies=_reindexes(True, concurrently=True),
        names=_name_reindexed,
        why_briefly=_REBUILT,
    ),
    OutsideLocks(
        "ReindexStmt",
        "REINDEX CONCURRENTLY of tables",
        "sql-reindex",
        "REINDEX TABLE CONCURRENTLY items",
        {"table": SHARE_UPDATE_EXCLUSIVE, "indexes": SHARE_UPDATE_EXCLUSIVE},
        {"tree": SHARE, "indexes": ACCESS_EXCLUSIVE},
        waits_for_snapshots=True,
        applies=_reindexes(False, concurrently=True),
        names=_name_reindexed,
        why_briefly=_REBUILT,
    ),
    OutsideLocks(
        "ReindexStmt",
        "REINDEX INDEX of a partitioned index",
        "sql-reindex",
        "REINDEX INDEX events_slow_idx",
        {"table": SHARE, "index": ACCESS_EXCLUSIVE},
        {"tree": SHARE},
        applies=_reindexes(True, concurrently=False),
        names=_name_reindexed,
        why_briefly="Each partition is done in its own transaction (commands/indexcmds.c, ReindexPartitions).",
    ),
    OutsideLocks(
        "ReindexStmt",
        "REINDEX of a schema, a database or a partitioned table",
        "sql-reindex",
        "REINDEX SCHEMA separate",
        {"table": SHARE, "indexes": ACCESS_EXCLUSIVE},
        {"tree": SHARE},
        applies=_reindexes(False, concurrently=False),
        names=_name_reindexed,
        why_briefly="Each table is done in its own transaction (commands/indexcmds.c, ReindexMultipleInternal).",
    ),
    OutsideLocks(
        "VacuumStmt",
        "VACUUM FULL",
        "sql-vacuum",
        "VACUUM FULL items",
        {"table": ACCESS_EXCLUSIVE, "indexes": ACCESS_EXCLUSIVE},
        {"tree": ACCESS_EXCLUSIVE},
        applies=_vacuums(full=True),
        names=_name_vacuumed,
        why_briefly="A partitioned table is locked before its partitions (commands/vacuum.c, vacuum_rel).",
    ),
    OutsideLocks(
        "VacuumStmt",
        "VACUUM",
        "sql-vacuum",
        "VACUUM items",
        {"table": SHARE_UPDATE_EXCLUSIVE, "indexes": ROW_EXCLUSIVE},
        {"table": ACCESS_EXCLUSIVE, "tree": SHARE_UPDATE_EXCLUSIVE},
        applies=_vacuums(full=False),
        names=_name_vacuumed,
        why_briefly="Empty pages at the end of a table are truncated, unless another session needs the table.",
    ),
    OutsideLocks(
        "ClusterStmt",
        "CLUSTER of all tables or of a partitioned one",
        "sql-cluster",
        "CLUSTER",
        {"table": ACCESS_EXCLUSIVE, "indexes": ACCESS_EXCLUSIVE},
        {"tree": ACCESS_EXCLUSIVE},
        names=_name_relation,
        why_briefly="A partitioned table is locked while its partitions are listed (commands/cluster.c, cluster).",
    ),
    OutsideLocks(
        "AlterTableStmt",
        "ALTER TABLE … DETACH PARTITION … CONCURRENTLY",
        "sql-altertable",
        "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY",
        {"parent": SHARE_UPDATE_EXCLUSIVE, "partition": SHARE_UPDATE_EXCLUSIVE},
        {"partition": ACCESS_EXCLUSIVE},
        applies=lambda node: find_detached(node) is not None,
        names=_name_detached,
        why_briefly="The second transaction waits for those that use the partitioned table, and locks the partition.",
    ),
)
NO_RELATION = frozenset(
    {
        "AlterDatabaseStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "CreatedbStmt", "DiscardStmt", "DropTableSpaceStmt",
        "DropdbStmt", "DropSubscriptionStmt", "CreateSubscriptionStmt",
    }
)  # fmt: skip
"""The statements outside a transaction that lock no relation of a user."""
