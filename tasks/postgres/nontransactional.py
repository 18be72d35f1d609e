"""Statements that PostgreSQL 14 to 18 refuse in a transaction block (SQLSTATE 25001), and what each of them changes.

REINDEX and CLUSTER of a partitioned table are refused too, but cannot be recognised by their text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tasks.postgres.targets import (
    Node,
    Target,
    find_detached,
    read_created_index,
    read_detached_target,
    read_dropped_index,
    read_reindexed,
    read_target,
)

_MANUAL = "https://www.postgresql.org/docs/current/"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement that is refused in a transaction block; `refused` and `accepted` are examples, which are tested."""

    node: str
    words: str
    page: str
    refused: str
    accepted: str = ""
    prepare: str = ""
    """A statement that the refused example needs before it, in the same transaction."""
    since: int = 14
    """The first major version of the server that has the statement."""
    applies: Callable[[Node], bool] = lambda node: True
    target: Callable[[Node], Target] = lambda node: Target("other")

    @property
    def source(self) -> str:
        """Return the URL of the page of the manual."""
        return f"{_MANUAL}{self.page}.html"


def find_refusal(node_name: str, node: Node) -> Refusal | None:
    """Return why the server refuses a statement in a transaction block, or None if it does not."""
    return next((refusal for refusal in _BY_NODE.get(node_name, ()) if refusal.applies(node)), None)


def is_refusable(node_name: str) -> bool:
    """Return True if some form of a statement is refused, so that its node must be examined."""
    return node_name in _BY_NODE


def is_on(node: Node, option: str, field: str = "options", *, default: bool) -> bool:
    """Return the value of a Boolean option, which is on if it has no value."""
    for item in node.get(field, ()):
        element = item["DefElem"]
        if element["defname"] != option:
            continue
        kind, value = next(iter(element.get("arg", {"Boolean": {"boolval": True}}).items()))
        if kind == "Boolean":
            return bool(value.get("boolval"))
        if kind == "Integer":
            return bool(value.get("ival"))
        word = value["names"][-1]["String"]["sval"] if kind == "TypeName" else value.get("sval", "")
        return str(word).lower() not in ("false", "off", "0")
    return default


def _has_option(node: Node, option: str) -> bool:
    return any(item["DefElem"]["defname"] == option for item in node.get("options", ()))


def _is_kind(*kinds: str) -> Callable[[Node], bool]:
    return lambda node: node.get("kind") in kinds


def _refreshes(node: Node) -> bool:
    """Return True if an ALTER SUBSCRIPTION fetches the list of the publisher's tables, which is its default."""
    kinds = (
        "ALTER_SUBSCRIPTION_SET_PUBLICATION",
        "ALTER_SUBSCRIPTION_ADD_PUBLICATION",
        "ALTER_SUBSCRIPTION_DROP_PUBLICATION",
    )
    return node.get("kind") in kinds and is_on(node, "refresh", default=True)


REFUSALS = (
    Refusal(
        "IndexStmt",
        "CREATE INDEX CONCURRENTLY",
        "sql-createindex",
        refused="CREATE INDEX CONCURRENTLY items_name_idx ON items (name)",
        accepted="CREATE INDEX items_name_idx ON items (name)",
        applies=lambda node: node.get("concurrent", False),
        target=read_created_index,
    ),
    Refusal(
        "DropStmt",
        "DROP INDEX CONCURRENTLY",
        "sql-dropindex",
        refused="DROP INDEX CONCURRENTLY items_number_idx",
        accepted="DROP INDEX items_number_idx",
        applies=lambda node: node.get("concurrent", False),
        target=read_dropped_index,
    ),
    Refusal(
        "ReindexStmt",
        "REINDEX CONCURRENTLY",
        "sql-reindex",
        refused="REINDEX TABLE CONCURRENTLY items",
        accepted="REINDEX TABLE items",
        applies=lambda node: is_on(node, "concurrently", "params", default=False),
        target=read_reindexed,
    ),
    Refusal(
        "ReindexStmt",
        "REINDEX of a schema or database",
        "sql-reindex",
        refused="REINDEX SCHEMA public",
        accepted="REINDEX INDEX items_number_idx",
        applies=_is_kind("REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"),
        target=read_reindexed,
    ),
    Refusal(
        "VacuumStmt",
        "VACUUM",
        "sql-vacuum",
        refused="VACUUM items",
        accepted="ANALYZE items",
        applies=lambda node: node.get("is_vacuumcmd", False),
    ),
    Refusal(
        "ClusterStmt",
        "CLUSTER without a table",
        "sql-cluster",
        refused="CLUSTER",
        accepted="CLUSTER items USING items_number_idx",
        applies=lambda node: "relation" not in node,
    ),
    Refusal(
        "AlterTableStmt",
        "ALTER TABLE … DETACH PARTITION … CONCURRENTLY",
        "sql-altertable",
        refused="ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY",
        accepted="ALTER TABLE events DETACH PARTITION events_2025",
        applies=lambda node: find_detached(node) is not None,
        target=read_detached_target,
    ),
    Refusal(
        "CreatedbStmt",
        "CREATE DATABASE",
        "sql-createdatabase",
        refused="CREATE DATABASE refused",
        target=read_target("create database", "dbname"),
    ),
    Refusal(
        "DropdbStmt",
        "DROP DATABASE",
        "sql-dropdatabase",
        refused="DROP DATABASE IF EXISTS refused",
        target=read_target("drop database", "dbname"),
    ),
    Refusal(
        "AlterDatabaseStmt",
        "ALTER DATABASE … SET TABLESPACE",
        "sql-alterdatabase",
        refused="ALTER DATABASE postgres SET TABLESPACE pg_default",
        accepted="ALTER DATABASE postgres WITH CONNECTION LIMIT -1",
        applies=lambda node: _has_option(node, "tablespace"),
    ),
    Refusal(
        "CreateTableSpaceStmt",
        "CREATE TABLESPACE",
        "sql-createtablespace",
        refused="CREATE TABLESPACE refused LOCATION '/nowhere'",
        target=read_target("create tablespace", "tablespacename"),
    ),
    Refusal(
        "DropTableSpaceStmt",
        "DROP TABLESPACE",
        "sql-droptablespace",
        refused="DROP TABLESPACE IF EXISTS refused",
        target=read_target("drop tablespace", "tablespacename"),
    ),
    Refusal("AlterSystemStmt", "ALTER SYSTEM", "sql-altersystem", refused="ALTER SYSTEM SET work_mem = '4MB'"),
    Refusal(
        "DiscardStmt",
        "DISCARD ALL",
        "sql-discard",
        refused="DISCARD ALL",
        accepted="DISCARD PLANS",
        applies=lambda node: node.get("target") == "DISCARD_ALL",
    ),
    Refusal(
        "CreateSubscriptionStmt",
        "CREATE SUBSCRIPTION that makes a replication slot",
        "sql-createsubscription",
        refused="CREATE SUBSCRIPTION refused CONNECTION 'dbname=nowhere' PUBLICATION news",
        accepted="CREATE SUBSCRIPTION fresh CONNECTION 'dbname=nowhere' PUBLICATION news WITH (connect = false)",
        applies=lambda node: is_on(node, "connect", default=True) and is_on(node, "create_slot", default=True),
        target=read_target("create subscription", "subname"),
    ),
    Refusal(
        "AlterSubscriptionStmt",
        "ALTER SUBSCRIPTION … REFRESH PUBLICATION",
        "sql-altersubscription",
        refused="ALTER SUBSCRIPTION orders REFRESH PUBLICATION",
        accepted="ALTER SUBSCRIPTION orders DISABLE",
        prepare="ALTER SUBSCRIPTION orders ENABLE",
        applies=_is_kind("ALTER_SUBSCRIPTION_REFRESH", "ALTER_SUBSCRIPTION_REFRESH_PUBLICATION"),
    ),
    Refusal(
        "AlterSubscriptionStmt",
        "ALTER SUBSCRIPTION … SET, ADD or DROP PUBLICATION with refresh",
        "sql-altersubscription",
        refused="ALTER SUBSCRIPTION orders ADD PUBLICATION more",
        accepted="ALTER SUBSCRIPTION orders ADD PUBLICATION more WITH (refresh = false)",
        prepare="ALTER SUBSCRIPTION orders ENABLE",
        applies=_refreshes,
    ),
    Refusal(
        "AlterSubscriptionStmt",
        "ALTER SUBSCRIPTION … SET (failover)",
        "sql-altersubscription",
        refused="ALTER SUBSCRIPTION orders SET (failover = true)",
        accepted="ALTER SUBSCRIPTION orders SET (synchronous_commit = off)",
        since=17,
        applies=lambda node: _has_option(node, "failover"),
    ),
    Refusal(
        "AlterSubscriptionStmt",
        "ALTER SUBSCRIPTION … SET (two_phase = false)",
        "sql-altersubscription",
        refused="ALTER SUBSCRIPTION orders SET (two_phase = false)",
        accepted="ALTER SUBSCRIPTION orders SET (two_phase = true)",
        since=18,
        applies=lambda node: not is_on(node, "two_phase", default=True),
    ),
    Refusal(
        "DropSubscriptionStmt",
        "DROP SUBSCRIPTION",
        "sql-dropsubscription",
        refused="DROP SUBSCRIPTION orders",
        target=read_target("drop subscription", "subname"),
    ),
    Refusal(
        "TransactionStmt",
        "COMMIT PREPARED",
        "sql-commit-prepared",
        refused="COMMIT PREPARED 'refused'",
        applies=_is_kind("TRANS_STMT_COMMIT_PREPARED"),
    ),
    Refusal(
        "TransactionStmt",
        "ROLLBACK PREPARED",
        "sql-rollback-prepared",
        refused="ROLLBACK PREPARED 'refused'",
        applies=_is_kind("TRANS_STMT_ROLLBACK_PREPARED"),
    ),
)

_BY_NODE: dict[str, tuple[Refusal, ...]] = {
    name: tuple(refusal for refusal in REFUSALS if refusal.node == name) for name in {row.node for row in REFUSALS}
}
