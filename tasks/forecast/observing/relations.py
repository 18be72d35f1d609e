"""The relations of a scratch database before a file runs, and what connects them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import psycopg

from tasks.forecast.model import Operation
from tasks.postgres.quoting import show_literal

TABLES = frozenset("rpmf")
"""The kinds of relations, as in pg_class.relkind, on which INSERT, UPDATE and CREATE INDEX make sense, if not all of them."""
INDEXES = frozenset("iI")
_FIRST_OID = 16384
"""The first oid that is not reserved for initdb (access/transam.h)."""
_RELATIONS = """
SELECT c.oid::int8, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, c.relfilenode::int8,
       coalesce(i.indrelid, 0)::int8, c.reltuples::float8
  FROM (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' OFFSET 0) n
  JOIN pg_class c ON c.relnamespace = n.oid LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f')
   AND NOT (starts_with(c.relname, 'schema_migrations') AND c.relname ~ '^schema_migrations($|_)')
"""
"""Without TOAST, system catalogs, temporary relations, and the tool's own ledger."""
_NEXT = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_COLUMNS = f"""
SELECT attrelid::int8, attnum::int, CASE WHEN NOT attisdropped THEN attname::text END FROM pg_attribute
 WHERE attrelid >= '{_FIRST_OID}'::oid AND attnum > 0
"""
_SINCE = "AND age(xmin) <= age(%s::xid8::xid)"
"""Only rows of transactions from one on: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT"""
_FOREIGN_KEYS = """
SELECT DISTINCT conrelid::int8, confrelid::int8, confdeltype NOT IN ('a', 'r'), confdeltype = 'c'
  FROM pg_constraint WHERE contype = 'f'
"""
_PARENTS = "SELECT inhrelid::int8, inhparent::int8 FROM pg_inherits"
_CLUSTERED = "SELECT indexrelid::int8 FROM pg_index WHERE indisclustered"
_BASES = """
SELECT r.ev_class::int8, d.refobjid::int8 FROM pg_rewrite r
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
 WHERE d.refobjid <> r.ev_class
"""
_TRIGGERS = """
SELECT t.tgrelid::int8, t.tgtype & 4 > 0, t.tgtype & 16 > 0, t.tgtype & 8 > 0, lower(p.prosrc)
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
"""
"""The bits of tgtype: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_trigger.h"""
_FUNCTIONS = """
SELECT lower(p.proname), string_agg(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), ' ')
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE l.lanname NOT IN ('c', 'internal') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' GROUP BY 1
"""
_SEQUENCES = """
WITH s AS MATERIALIZED (SELECT oid FROM pg_class WHERE relkind = 'S')
SELECT d.refobjid::int8, a.adrelid::int8
  FROM s JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_attrdef'::regclass
  JOIN pg_attrdef a ON a.oid = d.objid
 UNION
SELECT d.objid::int8, d.refobjid::int8
  FROM s JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
 WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
"""
_DETAILS = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
         c.oid::pg_catalog.int8, pg_catalog.quote_ident(n.nspname) OPERATOR(pg_catalog.||) '.'::pg_catalog.text
           OPERATOR(pg_catalog.||) pg_catalog.quote_ident(c.relname), c.relkind, c.relfilenode::pg_catalog.int8,
         CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,m}}'::pg_catalog."char"[])
              THEN pg_catalog.json_build_array(
                     pg_catalog.pg_stat_get_{counter}numscans(c.oid), pg_catalog.pg_stat_get_{counter}tuples_returned(c.oid),
                     pg_catalog.pg_stat_get_{counter}tuples_inserted(c.oid),
                     pg_catalog.pg_stat_get_{counter}tuples_updated(c.oid),
                     pg_catalog.pg_stat_get_{counter}tuples_deleted(c.oid)) END,
         CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p,f}}'::pg_catalog."char"[])
              THEN (SELECT pg_catalog.json_agg(a.attnum) FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attisdropped) END,
         c.xmin OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE {condition}
"""
"""Every name has its schema, because it runs under the search_path of the file."""


@dataclass(frozen=True, slots=True)
class ScratchRelation:
    """A relation of a scratch database: `table` is the oid of an index's table, `rows` an estimate, -1 if there is none."""

    oid: int
    name: str
    kind: str
    filenode: int
    table: int = 0
    rows: float = -1


@dataclass(frozen=True, slots=True)
class ScratchForeignKey:
    """A foreign key: the oids of its table and of the referenced one, and whether a DELETE there writes to it, or deletes."""

    table: int
    referenced: int
    cascades: bool
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class TableTrigger:
    """A trigger: its table, the operations that fire it, and the text of its function in lower case."""

    table: int
    operations: tuple[Operation, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ScratchSchema:
    """The relations of users by oid, the columns of tables, the foreign keys, and the tables that use a sequence as a default.

    `children` are the partitions and inheriting tables of a relation, `indexes` those of a table, `clustered` the indexes by
    which a table was clustered, `bases` the relations that a view reads.
    """

    relations: Mapping[int, ScratchRelation] = field(default_factory=dict)
    columns: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    foreign_keys: tuple[ScratchForeignKey, ...] = ()
    sequences: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    children: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    indexes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    clustered: frozenset[int] = frozenset()
    bases: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    triggers: tuple[TableTrigger, ...] = ()
    next_transaction: str = ""
    """The first transaction that was not over when it was read."""
    functions: Mapping[str, str] = field(default_factory=dict)
    """The texts of the functions and procedures by their names in lower case."""

    def list_indexes(self, table: int) -> tuple[int, ...]:
        """Return the indexes of a table."""
        return self.indexes.get(table, ())

    def list_leaves(self, relation: int) -> list[int]:
        """Return the partitions of a relation that have no partitions; the relation itself if it is not partitioned."""
        if relation not in self.relations or self.relations[relation].kind not in "pI":
            return [relation]
        return [leaf for child in self.children.get(relation, ()) for leaf in self.list_leaves(child)]

    def list_tree(self, relation: int) -> list[int]:
        """Return a relation with its partitions, the tables that inherit from it, and theirs."""
        return [relation, *(each for child in self.children.get(relation, ()) for each in self.list_tree(child))]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a statement did with the rows of a table, by the statistics of its session."""

    scans: int = 0
    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def written(self) -> int:
        """Return how many rows were written."""
        return self.inserted + self.updated + self.deleted

    def since(self, before: Counts) -> Counts:
        """Return what was added since other counts."""
        return Counts(
            self.scans - before.scans,
            self.read - before.read,
            self.inserted - before.inserted,
            self.updated - before.updated,
            self.deleted - before.deleted,
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """The state of a relation after a statement; `dropped` are the numbers of its dropped columns.

    `changed` is whether the open transaction wrote its row in pg_class, for which CREATE INDEX waits.
    """

    name: str
    kind: str
    filenode: int
    counts: Counts
    dropped: frozenset[int]
    changed: bool = False


def read_scratch_schema(connection: psycopg.Connection, before: ScratchSchema | None = None) -> ScratchSchema:
    """Read the relations of a scratch database, with one query per kind of fact.

    `before` is what was read of the same database before; then only the columns that changed since are read.
    """
    before = before or ScratchSchema()
    following = connection.execute(_NEXT).fetchone()
    relations = {row[0]: ScratchRelation(*row) for row in connection.execute(_RELATIONS)}
    sequences = any(relation.kind == "S" for relation in relations.values())
    keys = tuple(ScratchForeignKey(*row) for row in connection.execute(_FOREIGN_KEYS))
    return ScratchSchema(
        relations,
        _read_columns(connection, relations, before),
        keys,
        _group(connection.execute(_SEQUENCES)) if sequences else {},
        _group((parent, child) for child, parent in connection.execute(_PARENTS)),
        _group((relation.table, oid) for oid, relation in relations.items() if relation.table),
        frozenset(oid for (oid,) in connection.execute(_CLUSTERED)),
        _group(connection.execute(_BASES)),
        tuple(_read_trigger(*row) for row in connection.execute(_TRIGGERS)),
        str(following[0]) if following else "",
        dict(connection.execute(_FUNCTIONS).fetchall()),
    )


def _read_columns(
    connection: psycopg.Connection, relations: Mapping[int, ScratchRelation], before: ScratchSchema
) -> dict[int, Mapping[int, str]]:
    """Return the names of the columns of tables by their numbers, read as far as they changed."""
    since = before.next_transaction
    rows = connection.execute(f"{_COLUMNS} {_SINCE}", [since]) if since else connection.execute(_COLUMNS)
    changed: dict[int, dict[int, str | None]] = defaultdict(dict)
    for table, number, name in rows:
        changed[table][number] = name
    tables = (oid for oid, relation in relations.items() if relation.kind in "rpf")
    return {oid: _update(before.columns.get(oid, {}), changed.get(oid, {})) for oid in tables}


def _update(names: Mapping[int, str], changed: Mapping[int, str | None]) -> Mapping[int, str]:
    if not changed:
        return names
    return {number: name for number, name in {**names, **changed}.items() if name is not None}


def _read_trigger(table: int, insert: bool, update: bool, delete: bool, text: str) -> TableTrigger:
    fires: dict[Operation, bool] = {"insert": insert, "update": update, "delete": delete}
    return TableTrigger(table, tuple(operation for operation, on in fires.items() if on), text)


def _group(pairs: Iterable[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """Return the second values by the first ones."""
    found: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        found[one].append(other)
    return {one: tuple(others) for one, others in found.items()}


def compose_details(oids: frozenset[int] | None, *, own: bool) -> str:
    """Return a query for the state of some relations and of those whose rows the open transaction wrote, as one JSON value.

    None means all that initdb has not made.

    The counts are those that the session has not yet reported if `own`, else those of all sessions.
    https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-VIEWS
    """
    if oids is None:
        condition = f"c.oid OPERATOR(pg_catalog.>=) '{_FIRST_OID}'::pg_catalog.oid"
    else:
        condition = f"""c.oid OPERATOR(pg_catalog.=) ANY ('{{{",".join(map(str, sorted(oids)))}}}'::pg_catalog.oid[])
    OR (c.oid OPERATOR(pg_catalog.>=) '{_FIRST_OID}'::pg_catalog.oid
        AND c.xmin OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid)"""
    return _DETAILS.format(counter="xact_" if own else "", condition=condition)


def compose_resolving(name: str) -> str:
    """Return a query for the oid of the relation that a quoted name means under the search_path in force."""
    return f"SELECT pg_catalog.to_regclass({show_literal(name)})::pg_catalog.oid"


def read_details(text: str | None) -> dict[int, Detail]:
    """Return the state of relations by oid, from the value of the query."""
    return {
        oid: Detail(name, kind, filenode, Counts(*counts) if counts else Counts(), frozenset(dropped or ()), bool(changed))
        for oid, name, kind, filenode, counts, dropped, changed in json.loads(text or "[]") or ()
    }
