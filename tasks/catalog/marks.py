"""Whether a schema can have changed since a moment, and what was added to it: much less work than to read the schema.

Each row of the catalog has the transaction that wrote it. If no row is newer than the mark, and there are as many rows, then no
row was added, changed or removed. https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from tasks.catalog.classes.containers import OTHER_CATALOGS
from tasks.catalog.classes.object_class import FIRST_OWN_OID, ObjectClass
from tasks.catalog.normalising import write_names
from tasks.catalog.reading import ask, compose_classes, compose_settings, find_opening, read_beside, read_catalog
from tasks.catalog.values import Catalog, Key

_WHOLE = (
    "pg_attrdef",
    "pg_constraint",
    "pg_default_acl",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_inherits",
    "pg_language",
    "pg_namespace",
    "pg_policy",
    "pg_publication",
    "pg_publication_rel",
    "pg_sequence",
    "pg_statistic_ext",
    "pg_tablespace",
    "pg_trigger",
    "pg_ts_config_map",
)
_SINCE = {"pg_publication_namespace": 150000}
_BY_OID = ("pg_class", "pg_proc", "pg_rewrite", "pg_type", *OTHER_CATALOGS)
_PARTS = {
    **{name: f"oid >= {FIRST_OWN_OID}" for name in _BY_OID if name not in _WHOLE},
    "pg_aggregate": f"aggfnoid >= {FIRST_OWN_OID}",
    "pg_attribute": f"attrelid >= {FIRST_OWN_OID} AND attnum > 0",
    "pg_database": "datname = current_database()",
    "pg_depend": f"""objid >= {FIRST_OWN_OID} AND (deptype = 'e' OR deptype IN ('a', 'i') AND refobjsubid > 0
        AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass)""",
    "pg_description": f"objoid >= {FIRST_OWN_OID} OR classoid = 'pg_namespace'::regclass",
    "pg_range": f"rngtypid >= {FIRST_OWN_OID}",
}
"""The catalogs of which a part is enough. Of the dependencies: the members of extensions, and the owners of sequences."""
_ROLES = f"""concat_ws(' ',
    (SELECT hashtextextended(string_agg(concat_ws(' ', r.oid, r.rolname), ',' ORDER BY r.oid), 0)
       FROM pg_roles r CROSS JOIN (SELECT oid, datdba FROM pg_database WHERE datname = current_database()) d
      WHERE r.oid < {FIRST_OWN_OID} OR r.oid = d.datdba
         OR r.oid IN (SELECT s.refobjid FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass
                         AND (s.dbid = d.oid OR s.classid = 'pg_database'::regclass AND s.objid = d.oid))),
    (SELECT hashtextextended(string_agg(concat_ws(' ', umid, srvid, umuser), ',' ORDER BY umid), 0) FROM pg_user_mappings))"""
"""The roles that the texts of this database can name: its owner, and those that its objects depend on. Not every role may read
the tables of these views. https://www.postgresql.org/docs/current/catalog-pg-shdepend.html"""
_INDEX = "SELECT oid FROM added WHERE relkind IN ('i', 'I')"
_EXPLAINED = {
    "pg_attrdef": "adrelid IN (SELECT oid FROM added)",
    "pg_attribute": "attrelid IN (SELECT oid FROM added) AND attacl IS NULL",
    "pg_class": "relkind IN ('r', 'p', 'v', 'm', 'i', 'I', 'S', 't') AND relacl IS NULL AND relpersistence <> 't'",
    "pg_constraint": "conrelid IN (SELECT oid FROM added)",
    "pg_depend": f"""deptype <> 'e' AND objid IN (SELECT oid FROM added)
        AND (refobjid IN (SELECT oid FROM added) OR objid IN ({_INDEX}))""",
    "pg_index": "indexrelid IN (SELECT oid FROM added)",
    "pg_inherits": "inhrelid IN (SELECT oid FROM added)",
    "pg_policy": "polrelid IN (SELECT oid FROM added)",
    "pg_rewrite": "ev_class IN (SELECT oid FROM added)",
    "pg_sequence": "seqrelid IN (SELECT oid FROM added)",
    "pg_statistic_ext": "stxrelid IN (SELECT oid FROM added)",
    "pg_trigger": "tgrelid IN (SELECT oid FROM added) OR tgisinternal AND tgparentid = 0",
    "pg_type": "oid IN (SELECT reltype FROM added) OR typelem IN (SELECT reltype FROM added WHERE reltype <> 0)",
}
"""By catalog, which new rows belong to a new table, view, index or sequence, or to nothing that is read.

Nothing that existed before is written differently because of such an object: what refers to another object does so by its name,
which is always written with its schema.
"""
_MOST = 500
"""With more additions, it takes no longer to read the whole schema."""


class SchemaMark(NamedTuple):
    """The number of rows of a catalog, the roles in it, and the oldest transaction that was running when they were counted."""

    rows: int
    roles: str
    oldest: str


class Additions(NamedTuple):
    """The tables, views, indexes and sequences that were added to a schema which did not change otherwise; false if none were."""

    names: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()
    """Their names in SQL."""
    relations: tuple[int, ...] = ()
    """The object ids to read: those of the tables of new indexes too."""
    classes: tuple[ObjectClass, ...] = ()
    """The classes of relations of which the schema has objects."""

    def __bool__(self) -> bool:
        """Return True if there are any."""
        return bool(self.relations)

    def include(self, key: Key) -> bool:
        """Return True if an object of one of these relations was added."""
        return (key.parent or key.name) in self.names or (key.kind == "index" and key.name in self.indexes)


def mark_schema(connection: psycopg.Connection, *, lock_timeout: str = "") -> tuple[Catalog, SchemaMark | None]:
    """Return a schema and its mark, of the same snapshot, as `read_catalog` reads it; raises psycopg.Error.

    The mark is None in an open transaction, and if the role may not read all of the catalog.
    """
    if connection.info.transaction_status == TransactionStatus.IDLE:
        parts = _list_parts(connection.info.server_version)
        counts = " + ".join(f"(SELECT count(*) FROM {name} WHERE {condition})" for name, condition in parts.items())
        query = f"SELECT {counts}, {_ROLES}, pg_snapshot_xmin(pg_current_snapshot())::xid::text"
        with suppress(psycopg.errors.InsufficientPrivilege):
            catalog, row = read_beside(connection, query, lock_timeout=lock_timeout)
            return catalog, SchemaMark(*row)
    return read_catalog(connection, lock_timeout=lock_timeout), None


def find_additions(connection: psycopg.Connection, mark: SchemaMark) -> Additions | None:
    """Return what was added to a schema since it was marked, None if it may have changed otherwise; raises psycopg.Error.

    If there are as many rows more as there are newer ones, then no row was changed or removed.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        return None
    newer = f"age(xmin) <= age('{int(mark.oldest)}'::xid)"
    rows = " UNION ALL ".join(
        f"SELECT {newer} AS newer, {newer} AND ({_EXPLAINED.get(name, 'false')}) AS explained FROM {name} WHERE {condition}"
        for name, condition in _list_parts(connection.info.server_version).items()
    )
    query = f"""
WITH added AS MATERIALIZED (SELECT oid, relkind, reltype FROM pg_class WHERE oid >= {FIRST_OWN_OID} AND {newer})
SELECT count(*), {_ROLES}, count(*) FILTER (WHERE newer), count(*) FILTER (WHERE explained), (
    SELECT coalesce(json_agg(json_build_array(relkind, added.oid::regclass, added.oid::bigint, indrelid::bigint)), '[]')::text
    FROM added LEFT JOIN pg_index ON indexrelid = added.oid WHERE relkind <> 't')
FROM ({rows}) AS catalog"""
    classes, present = compose_classes(connection.info.server_version, of_relations=True)
    opening = (*find_opening(connection), compose_settings())
    with closing(ask(connection, ";\n".join((*opening, query, present, "ROLLBACK")))) as answers:
        _, ((count, roles, found, explained, added),), (existing,) = answers
    if roles != mark.roles or not count - mark.rows == found == explained:
        return None
    relations = json.loads(added)
    if len(relations) > _MOST:
        return None
    version = connection.info.server_version
    return Additions(
        names=frozenset(write_names(name, version) for kind, name, _, _ in relations if kind not in ("i", "I")),
        indexes=frozenset(write_names(name, version) for kind, name, _, _ in relations if kind in ("i", "I")),
        relations=tuple(sorted({table or oid for _, _, oid, table in relations})),
        classes=tuple(each for each, exists in zip(classes, existing, strict=True) if exists),
    )


def _list_parts(version: int) -> dict[str, str]:
    return dict.fromkeys((*_WHOLE, *(name for name, since in _SINCE.items() if version >= since)), "true") | _PARTS
