"""The locks that a statement certainly requests on relations that it names, from the facts of PostgreSQL 14 to 18.

Only what is certain is here: a run looks for transactions that have a conflicting lock before it queues behind them, and must not
be held back without a reason. Most of them are in https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES,
the subcommands of ALTER TABLE in AlterTableGetLockLevel (src/backend/commands/tablecmds.c). A test compares each example with
pg_locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tasks.postgres.lock_modes import ACCESS_EXCLUSIVE, EXCLUSIVE, MODES, SHARE, SHARE_ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE
from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import Node, read_relation_name

CHILDREN = "children"
"""The request includes all tables below the named one: its partitions, and the tables that inherit from it."""
PARTITIONS = "partitions"
"""The request includes the partitions of the named table or index."""
TABLE = "table"
"""The request is for the table of the named index."""
INDEXES = "indexes"
"""The request is for the indexes of the named table."""


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A request for a lock on a relation, which is named as SQL, or on what belongs to it."""

    name: tuple[str, str]
    """The schema, empty where the statement does not name one, and the relation."""
    mode: str
    reach: str = ""

    @property
    def relation(self) -> str:
        """Return the name as SQL."""
        return quote_qualified(*self.name)


def find_requests(kind: str, node: Node) -> tuple[LockRequest, ...]:
    """Return the locks that a statement certainly requests, by its parse node; none if that is not known."""
    read = _READERS.get(kind)
    return tuple(dict.fromkeys(read(node))) if read else ()


def has_requests(kind: str) -> bool:
    """Return True if some form of a statement is known to request a lock, so that its node must be read."""
    return kind in _READERS


def _name_parts(parts: Iterable[Node]) -> tuple[str, str]:
    """Return the name of a list of strings; one of three begins with the database."""
    names = [part["String"]["sval"] for part in parts]
    return (names[-2] if len(names) > 1 else ""), names[-1]


_WEAK = frozenset(
    {
        "AT_SetStatistics", "AT_ClusterOn", "AT_DropCluster", "AT_SetOptions", "AT_ResetOptions", "AT_ValidateConstraint",
        "AT_SetRelOptions", "AT_ResetRelOptions", "AT_AttachPartition", "AT_DetachPartitionFinalize",
    }
)  # fmt: skip
"""Some storage parameters need a stronger lock; this one conflicts with no more."""
_WRITES_ONLY = frozenset(
    {
        "AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_EnableTrigAll", "AT_EnableTrigUser",
        "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser",
    }
)  # fmt: skip
_STRONG = frozenset(
    {
        "AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_DropNotNull", "AT_SetNotNull",
        "AT_SetStorage", "AT_SetCompression", "AT_DropConstraint", "AT_ChangeOwner", "AT_SetTableSpace", "AT_SetLogged",
        "AT_SetUnLogged", "AT_SetAccessMethod", "AT_AddInherit", "AT_DropInherit", "AT_AddOf", "AT_DropOf",
        "AT_ReplicaIdentity", "AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity",
        "AT_NoForceRowSecurity", "AT_AddIdentity", "AT_SetIdentity", "AT_DropIdentity", "AT_SetExpression",
        "AT_DropExpression", "AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule",
    }
)  # fmt: skip
_RECURSIVE = frozenset({"AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_SetNotNull"})
"""What changes the tables below too."""


def _alter(node: Node) -> Iterator[LockRequest]:
    """Yield the strongest lock of the subcommands, which is requested first, and those on other tables."""
    name = read_relation_name(node["relation"])
    found: list[tuple[str, str]] = []
    others: list[LockRequest] = []
    for item in node.get("cmds", ()):
        command = item["AlterTableCmd"]
        mode, reach = _read_subcommand(command)
        if not mode:
            return
        found.append((mode, reach))
        others += _read_others(command)
    mode = max((mode for mode, _ in found), key=MODES.index)
    reaches = {reach for _, reach in found if reach} if node["relation"].get("inh") else set()
    yield LockRequest(name, mode, CHILDREN if CHILDREN in reaches else PARTITIONS if reaches else "")
    yield from others


def _read_subcommand(command: Node) -> tuple[str, str]:
    """Return the mode that a subcommand needs, empty if that is not known, and its reach."""
    subtype = command["subtype"]
    if subtype in _WEAK:
        return SHARE_UPDATE_EXCLUSIVE, ""
    if subtype in _WRITES_ONLY:
        return SHARE_ROW_EXCLUSIVE, ""
    if subtype == "AT_DetachPartition":
        return (SHARE_UPDATE_EXCLUSIVE if command["def"]["PartitionCmd"].get("concurrent") else ACCESS_EXCLUSIVE), ""
    if subtype == "AT_AddConstraint":
        kind = command["def"].get("Constraint", {}).get("contype")
        if kind == "CONSTR_FOREIGN":
            return SHARE_ROW_EXCLUSIVE, PARTITIONS
        return ACCESS_EXCLUSIVE, CHILDREN if kind in ("CONSTR_CHECK", "CONSTR_NOTNULL") else ""
    return (ACCESS_EXCLUSIVE, CHILDREN if subtype in _RECURSIVE else "") if subtype in _STRONG else ("", "")


def _read_others(command: Node) -> Iterator[LockRequest]:
    """Yield the locks of a subcommand on other tables: partitions, and those that a foreign key references."""
    definition = command.get("def", {})
    if "PartitionCmd" in definition and "name" in definition["PartitionCmd"]:
        yield LockRequest(read_relation_name(definition["PartitionCmd"]["name"]), ACCESS_EXCLUSIVE)
    if not command.get("missing_ok"):
        yield from _read_references((definition,))


def _read_references(elements: Iterable[Node]) -> Iterator[LockRequest]:
    for element in elements:
        constraints = element.get("ColumnDef", {}).get("constraints", ()) if "ColumnDef" in element else (element,)
        for item in constraints:
            table = item.get("Constraint", {}).get("pktable")
            if table:
                yield LockRequest(read_relation_name(table), SHARE_ROW_EXCLUSIVE)


def _create(node: Node) -> Iterator[LockRequest]:
    if node.get("if_not_exists"):
        return
    own = node["relation"]["relname"]
    parent = ACCESS_EXCLUSIVE if "partbound" in node else SHARE_UPDATE_EXCLUSIVE
    for item in node.get("inhRelations", ()):
        yield LockRequest(read_relation_name(item["RangeVar"]), parent)
    yield from (each for each in _read_references(node.get("tableElts", ())) if each.name[1] != own)


_DROPPED = frozenset(
    {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE"},
)
_OF_TABLE = frozenset({"OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY"})


def _drop(node: Node) -> Iterator[LockRequest]:
    kind = node["removeType"]
    for item in node["objects"]:
        parts = item.get("List", {}).get("items", ())
        if kind == "OBJECT_INDEX":
            mode = SHARE_UPDATE_EXCLUSIVE if node.get("concurrent") else ACCESS_EXCLUSIVE
            yield LockRequest(_name_parts(parts), mode)
            yield LockRequest(_name_parts(parts), mode, TABLE)
        elif kind in _DROPPED:
            yield LockRequest(_name_parts(parts), ACCESS_EXCLUSIVE, PARTITIONS if kind == "OBJECT_TABLE" else "")
        elif kind in _OF_TABLE:
            yield LockRequest(_name_parts(parts[:-1]), ACCESS_EXCLUSIVE)


def _rename(node: Node) -> Iterator[LockRequest]:
    if "relation" not in node:
        return
    kind = node["renameType"]
    mode = SHARE_UPDATE_EXCLUSIVE if kind == "OBJECT_INDEX" else ACCESS_EXCLUSIVE
    recurses = kind == "OBJECT_COLUMN" and node.get("relationType") == "OBJECT_TABLE" and node["relation"].get("inh")
    yield LockRequest(read_relation_name(node["relation"]), mode, CHILDREN if recurses else "")


def _index(node: Node) -> Iterator[LockRequest]:
    if node.get("concurrent"):
        yield LockRequest(read_relation_name(node["relation"]), SHARE_UPDATE_EXCLUSIVE)
    else:
        yield LockRequest(read_relation_name(node["relation"]), SHARE, PARTITIONS if node["relation"].get("inh") else "")


def _reindex(node: Node) -> Iterator[LockRequest]:
    if "relation" not in node:
        return
    name = read_relation_name(node["relation"])
    concurrent = any(each["DefElem"]["defname"] == "concurrently" for each in node.get("params", ()))
    strong, weak = (SHARE_UPDATE_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE) if concurrent else (ACCESS_EXCLUSIVE, SHARE)
    if node["kind"] == "REINDEX_OBJECT_INDEX":
        yield LockRequest(name, strong)
        yield LockRequest(name, weak, TABLE)
    elif node["kind"] == "REINDEX_OBJECT_TABLE":
        yield LockRequest(name, weak)
        yield LockRequest(name, strong, INDEXES)


def _vacuum(node: Node) -> Iterator[LockRequest]:
    options = {each["DefElem"]["defname"]: each["DefElem"].get("arg") for each in node.get("options", ())}
    if options.get("full") or options.get("skip_locked", False) is not False:
        return
    mode = ACCESS_EXCLUSIVE if "full" in options else SHARE_UPDATE_EXCLUSIVE
    for item in node.get("rels", ()):
        relation = item["VacuumRelation"].get("relation")
        if relation:
            yield LockRequest(read_relation_name(relation), mode)


def _lock(node: Node) -> Iterator[LockRequest]:
    for item in node["relations"]:
        relation = item["RangeVar"]
        yield LockRequest(read_relation_name(relation), MODES[node["mode"] - 1], CHILDREN if relation.get("inh") else "")


def _truncate(node: Node) -> Iterator[LockRequest]:
    for item in node["relations"]:
        relation = item["RangeVar"]
        yield LockRequest(read_relation_name(relation), ACCESS_EXCLUSIVE, CHILDREN if relation.get("inh") else "")


def _comment(node: Node) -> Iterator[LockRequest]:
    parts = node["object"].get("List", {}).get("items", ())
    if node["objtype"] in ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE"):
        yield LockRequest(_name_parts(parts), SHARE_UPDATE_EXCLUSIVE)
    elif node["objtype"] == "OBJECT_COLUMN" and len(parts) > 1:
        yield LockRequest(_name_parts(parts[:-1]), SHARE_UPDATE_EXCLUSIVE)


def _of(field: str, mode: str) -> Callable[[Node], Iterator[LockRequest]]:
    """Return a reader for a statement that locks the relation in a field."""

    def read(node: Node) -> Iterator[LockRequest]:
        if field in node:
            yield LockRequest(read_relation_name(node[field]), mode)

    return read


def _trigger(node: Node) -> Iterator[LockRequest]:
    yield LockRequest(read_relation_name(node["relation"]), SHARE_ROW_EXCLUSIVE, PARTITIONS if node.get("row") else "")


def _refresh(node: Node) -> Iterator[LockRequest]:
    yield LockRequest(read_relation_name(node["relation"]), EXCLUSIVE if node.get("concurrent") else ACCESS_EXCLUSIVE)


def _view(node: Node) -> Iterator[LockRequest]:
    if node.get("replace"):
        yield LockRequest(read_relation_name(node["view"]), ACCESS_EXCLUSIVE)


def _statistics(node: Node) -> Iterator[LockRequest]:
    for item in node.get("relations", ()):
        if "RangeVar" in item:
            yield LockRequest(read_relation_name(item["RangeVar"]), SHARE_UPDATE_EXCLUSIVE)


_READERS: dict[str, Callable[[Node], Iterator[LockRequest]]] = {
    "AlterTableStmt": _alter,
    "CreateStmt": _create,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "IndexStmt": _index,
    "ReindexStmt": _reindex,
    "VacuumStmt": _vacuum,
    "LockStmt": _lock,
    "TruncateStmt": _truncate,
    "CommentStmt": _comment,
    "CreateTrigStmt": _trigger,
    "RefreshMatViewStmt": _refresh,
    "ViewStmt": _view,
    "CreateStatsStmt": _statistics,
    "ClusterStmt": _of("relation", ACCESS_EXCLUSIVE),
    "AlterObjectSchemaStmt": _of("relation", ACCESS_EXCLUSIVE),
    "CreatePolicyStmt": _of("table", ACCESS_EXCLUSIVE),
    "AlterPolicyStmt": _of("table", ACCESS_EXCLUSIVE),
    "RuleStmt": _of("relation", ACCESS_EXCLUSIVE),
    "AlterSeqStmt": _of("sequence", SHARE_ROW_EXCLUSIVE),
}

KINDS = frozenset(_READERS)
"""The kinds of statements of which some form is known to request a lock."""
