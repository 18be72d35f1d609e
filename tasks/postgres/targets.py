"""What a statement outside a transaction leaves in the catalog: what to look for to see that it took effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]
"""A node of the parse tree as JSON: absent fields are false, empty or zero."""


@dataclass(frozen=True, slots=True)
class Target:
    """Name what a statement makes, drops or changes: enough to find out afterwards whether it took effect.

    `kind` is create or drop of an index, a database, a tablespace or a subscription ("create index"), or reindex,
    detach partition (`name` is the partition, `table` its parent), or other. An empty schema means the search path.
    """

    kind: str
    schema: str = ""
    name: str = ""
    table_schema: str = ""
    table: str = ""
    if_not_exists: bool = False
    if_exists: bool = False


def _read_relation(node: Node, field: str = "relation") -> tuple[str, str]:
    relation = node.get(field, {})
    return relation.get("schemaname", ""), relation.get("relname", "")


def aim_created_index(node: Node) -> Target:
    """Aim at the index of a CREATE INDEX, which lives in the schema of its table."""
    schema, table = _read_relation(node)
    return Target(
        "create index",
        schema=schema,
        name=node.get("idxname", ""),
        table_schema=schema,
        table=table,
        if_not_exists=node.get("if_not_exists", False),
    )


def aim_dropped_index(node: Node) -> Target:
    """Aim at the index of a DROP INDEX CONCURRENTLY, of which the server takes one only."""
    names = [item["String"]["sval"] for item in node["objects"][0]["List"]["items"]]
    schema = names[-2] if len(names) > 1 else ""
    return Target("drop index", schema=schema, name=names[-1], if_exists=node.get("missing_ok", False))


def aim_reindex(node: Node) -> Target:
    """Aim at what a REINDEX builds again: an index, a table, a schema, or (all empty) the database."""
    schema, name = _read_relation(node)
    kind = node["kind"]
    if kind == "REINDEX_OBJECT_INDEX":
        return Target("reindex", schema=schema, name=name)
    if kind == "REINDEX_OBJECT_TABLE":
        return Target("reindex", table_schema=schema, table=name)
    return Target("reindex", schema=node.get("name", "") if kind == "REINDEX_OBJECT_SCHEMA" else "")


def find_detached(node: Node) -> Node | None:
    """Find the partition that an ALTER TABLE detaches concurrently."""
    for item in node.get("cmds", ()):
        command = item["AlterTableCmd"]
        if command["subtype"] == "AT_DetachPartition" and command["def"]["PartitionCmd"].get("concurrent"):
            found: Node = command["def"]["PartitionCmd"]
            return found
    return None


def read_detached_target(node: Node) -> Target:
    """Aim at the partition of an ALTER TABLE … DETACH PARTITION … CONCURRENTLY."""
    table_schema, table = _read_relation(node)
    schema, name = _read_relation(find_detached(node) or {}, "name")
    return Target("detach partition", schema=schema, name=name, table_schema=table_schema, table=table)


def read_target(kind: str, field: str) -> Callable[[Node], Target]:
    """Make a function that aims at what one field of a node names."""
    return lambda node: Target(kind, name=node.get(field, ""), if_exists=node.get("missing_ok", False))
