"""What a Parse does not find: rows that a table refuses for a column, and ON CONFLICT without its unique index.

PostgreSQL finds the first when the query runs, and the second when it is planned. Planning may call functions of the database, so
the columns and indexes are read from the catalog instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.postgres.quoting import quote_identifier
from tasks.postgres.targets import Node
from tasks.runner.parsing.plain_queries import PlainQuery, find_nodes

READ_TABLES = """
WITH required AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name,
           NOT a.atthasdef AND a.attidentity = '' AND (a.attnotnull OR t.typtype = 'd' AND t.typnotnull)
           AND NOT (t.typtype = 'd' AND t.typdefault IS NOT NULL) AS required
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attnum > 0 AND NOT a.attisdropped)
SELECT n.nspname::text, c.relname::text,
       array(SELECT r.name FROM required r WHERE r.attrelid = c.oid ORDER BY r.attnum),
       array(SELECT r.name FROM required r WHERE r.attrelid = c.oid AND r.required ORDER BY r.attnum),
       c.relkind NOT IN ('r', 'p') OR c.relhasrules OR EXISTS (
           SELECT FROM pg_trigger g
            WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 7 = 7),
       coalesce((SELECT json_agg(json_build_object('columns', u.columns, 'partial', u.partial, 'computed', u.computed))
          FROM (SELECT array(SELECT a.attname FROM pg_attribute a
                              WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS columns,
                       i.indpred IS NOT NULL AS partial, i.indexprs IS NOT NULL AS computed
                  FROM pg_index i
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid) u), '[]')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'f')
"""
"""The columns of tables, those that an INSERT must fill, whether rules or a trigger BEFORE INSERT (tgtype 1 + 2 + 4: row, before,
insert) may fill them, and the unique indexes. https://www.postgresql.org/docs/current/catalog-pg-trigger.html"""


@dataclass(frozen=True, slots=True)
class InsertTarget:
    """A table into which a query inserts, as it is written, and with which columns.

    `columns` is None where the query does not list them: then the first `width` columns are filled, or all if that is None.
    `conflict` are the columns of ON CONFLICT, None without them.
    """

    schema: str
    table: str
    columns: tuple[str, ...] | None
    width: int | None = None
    defaulted: tuple[int, ...] = ()
    """The places, from 0, at which a row has DEFAULT."""
    conflict: tuple[str, ...] | None = None
    conflict_computed: bool = False
    """Whether ON CONFLICT has expressions, collations or operator classes."""
    conflict_where: bool = False


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """The columns of a unique index that ON CONFLICT can use."""

    columns: frozenset[str]
    partial: bool
    computed: bool


@dataclass(frozen=True, slots=True)
class TargetTable:
    """What an INSERT must know of a table."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    may_be_filled: bool
    """Whether a rule or trigger may fill what a query leaves out, or the relation is no table."""
    unique: tuple[UniqueIndex, ...]


def read_targets(query: PlainQuery) -> tuple[InsertTarget, ...]:
    """Return the tables into which a query inserts, also in WITH and MERGE."""
    nodes = [query.node] if query.kind == "InsertStmt" else []
    merges = [query.node] if query.kind == "MergeStmt" else []
    nodes += find_nodes(query.node, "InsertStmt")
    merges += find_nodes(query.node, "MergeStmt")
    return (*(_read_insert(node) for node in nodes), *(each for node in merges for each in _read_merge(node)))


def build_table(row: Sequence[object]) -> tuple[tuple[str, str], TargetTable]:
    """Return a row of READ_TABLES as the name of the table and its facts."""
    schema, table, columns, required, filled, unique = row
    assert isinstance(columns, list)
    assert isinstance(required, list)
    assert isinstance(unique, list)
    indexes = tuple(UniqueIndex(frozenset(each["columns"]), each["partial"], each["computed"]) for each in unique)
    return (str(schema), str(table)), TargetTable(tuple(columns), tuple(required), bool(filled), indexes)


def find_fault(
    target: InsertTarget, schemas: Sequence[str], tables: Mapping[tuple[str, str], TargetTable]
) -> tuple[str, str] | None:
    """Return the SQLSTATE and message with which an INSERT would fail; None if nothing is known against it.

    `schemas` are those of the search_path that exist.
    """
    places = [target.schema] if target.schema else schemas
    table = next((tables[place, target.table] for place in places if (place, target.table) in tables), None)
    if table is None:
        return None
    missing = [] if table.may_be_filled else [name for name in table.required if name not in _list_filled(target, table)]
    if missing:
        name = quote_identifier(missing[0]).strip('"')
        return "23502", f'null value in column "{name}" of relation "{target.table}" violates not-null constraint'
    if target.conflict is not None and not any(_fits(target, index) for index in table.unique):
        return "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"
    return None


def _list_filled(target: InsertTarget, table: TargetTable) -> set[str]:
    if target.columns is None:
        listed = table.columns if target.width is None else table.columns[: target.width]
    else:
        listed = target.columns
    return {name for place, name in enumerate(listed) if place not in target.defaulted}


def _fits(target: InsertTarget, index: UniqueIndex) -> bool:
    """Return True if an index may be the one of ON CONFLICT; expressions and conditions are not compared."""
    if index.partial and not target.conflict_where:
        return False
    if target.conflict_computed:
        return index.computed or frozenset(target.conflict or ()) <= index.columns
    return not index.computed and index.columns == frozenset(target.conflict or ())


def _read_insert(node: Node) -> InsertTarget:
    relation = node.get("relation", {})
    source = node.get("selectStmt", {}).get("SelectStmt")
    width, defaulted = (0, frozenset[int]()) if source is None else _read_source(source)
    names = [each["ResTarget"].get("name", "") for each in node.get("cols", ())]
    # An INSERT without a source is INSERT … DEFAULT VALUES.
    columns = tuple(names) if names else None
    infer = node.get("onConflictClause", {}).get("infer", {})
    elements = [each["IndexElem"] for each in infer.get("indexElems", ())]
    return InsertTarget(
        relation.get("schemaname", ""),
        relation.get("relname", ""),
        columns,
        width,
        tuple(sorted(defaulted)),
        tuple(each["name"] for each in elements if "name" in each) if elements else None,
        any("name" not in each or "collation" in each or "opclass" in each for each in elements),
        "whereClause" in infer,
    )


def _read_source(source: Node) -> tuple[int | None, frozenset[int]]:
    """Return how many values a row of an INSERT has, None if it is not known, and the places of DEFAULT in any of them."""
    rows = [row["List"].get("items", ()) for row in source.get("valuesLists", ())]
    if rows:
        places = (place for row in rows for place, value in enumerate(row) if "SetToDefault" in value)
        return len(rows[0]), frozenset(places)
    while "larg" in source:
        source = source["larg"]
    values = [each["ResTarget"].get("val", {}) for each in source.get("targetList", ())]
    if not values or any("A_Star" in field for value in values for field in value.get("ColumnRef", {}).get("fields", ())):
        return None, frozenset()
    return len(values), frozenset()


def _read_merge(node: Node) -> Iterator[InsertTarget]:
    relation = node.get("relation", {})
    for clause in node.get("mergeWhenClauses", ()):
        when = clause["MergeWhenClause"]
        if when.get("commandType") != "CMD_INSERT":
            continue
        names = tuple(each["ResTarget"].get("name", "") for each in when.get("targetList", ()))
        values = when.get("values", ())
        defaulted = tuple(place for place, value in enumerate(values) if "SetToDefault" in value)
        width = len(values) if "values" in when else 0
        yield InsertTarget(relation.get("schemaname", ""), relation.get("relname", ""), names or None, width, defaulted)
