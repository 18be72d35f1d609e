"""The objects that statements outside transactions change, by which the catalog shows whether a statement took effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]
"""A node of the parse tree as JSON: absent fields are false, empty or zero."""


@dataclass(frozen=True, slots=True)
class Target:
    """The object that a statement creates, drops or changes.

    `kind` is create or drop of an index, a database, a tablespace or a subscription ("create index"), or reindex,
    detach partition (`name` is the partition, `table` its parent), commits (it may commit a part of its work), or other. An
    empty schema means the search path.
    """

    kind: str
    schema: str = ""
    name: str = ""
    table_schema: str = ""
    table: str = ""


COMMITTING = Target("commits")


def read_relation_name(relation: Node) -> tuple[str, str]:
    """Return schema and name of a relation as a statement names it; the schema is empty if it is not named."""
    return relation.get("schemaname", ""), relation["relname"]


def _read_relation(node: Node, field: str = "relation") -> tuple[str, str]:
    relation = node.get(field, {})
    return relation.get("schemaname", ""), relation.get("relname", "")


def read_created_index(node: Node) -> Target:
    """Return the index of a CREATE INDEX, which is in the schema of its table."""
    schema, table = _read_relation(node)
    return Target(
        "create index",
        schema=schema,
        name=node.get("idxname", ""),
        table_schema=schema,
        table=table,
    )


def read_dropped_index(node: Node) -> Target:
    """Return the index of a DROP INDEX CONCURRENTLY, which accepts only one."""
    names = [item["String"]["sval"] for item in node["objects"][0]["List"]["items"]]
    schema = names[-2] if len(names) > 1 else ""
    return Target("drop index", schema=schema, name=names[-1])


def read_reindexed(node: Node) -> Target:
    """Return what a REINDEX rebuilds: an index, a table, a schema, or (all names empty) the database."""
    schema, name = _read_relation(node)
    kind = node["kind"]
    if kind == "REINDEX_OBJECT_INDEX":
        return Target("reindex", schema=schema, name=name)
    if kind == "REINDEX_OBJECT_TABLE":
        return Target("reindex", table_schema=schema, table=name)
    return Target("reindex", schema=node.get("name", "") if kind == "REINDEX_OBJECT_SCHEMA" else "")


def find_detached(node: Node) -> Node | None:
    """Return the partition that an ALTER TABLE detaches concurrently, or None."""
    for item in node.get("cmds", ()):
        command = item["AlterTableCmd"]
        if command["subtype"] == "AT_DetachPartition" and command["def"]["PartitionCmd"].get("concurrent"):
            found: Node = command["def"]["PartitionCmd"]
            return found
    return None


def read_detached_target(node: Node) -> Target:
    """Return the partition of an ALTER TABLE … DETACH PARTITION … CONCURRENTLY."""
    table_schema, table = _read_relation(node)
    schema, name = _read_relation(find_detached(node) or {}, "name")
    return Target("detach partition", schema=schema, name=name, table_schema=table_schema, table=table)


def read_target(kind: str, field: str) -> Callable[[Node], Target]:
    """Return a function that returns the object that a field of a node names."""
    return lambda node: Target(kind, name=node.get(field, ""))
