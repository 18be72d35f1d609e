"""Whether tables belong to roles that are trusted, and contain nothing that can run code: decided by pg_catalog alone.

A role that may create a table can create a ledger before the first run does, or the table of another tool. A trigger, a rule, a
policy, a default, a check, an index or the cast of a type then runs code with the rights of the role that reads the table or
writes to it. No query of this module reads such a table: planning one is enough to run functions of its indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template
from typing import NamedTuple

import psycopg
from psycopg import sql

from tasks.runner.database.own_connection import OwnConnection

_HARMLESS = """('now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp', 'timestamp', 'timestamptz', 'timezone',
       'date', 'nextval', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'random', 'current_setting')"""
"""The functions of pg_catalog in defaults that are not IMMUTABLE and run nothing else. Others run the SQL in their arguments
(query_to_xml), change settings (set_config) or read files (pg_read_file).
https://www.postgresql.org/docs/current/functions-xml.html#FUNCTIONS-XML-MAPPING"""
_FOREIGN = """~ '(?<!location) [0-9][0-9][0-9][0-9][0-9]|:funcid (?!(668|1299|1574|2027|2647|2648|2649|3432)[^0-9])'"""
"""What stored expressions do not contain that call only well-known parts of pg_catalog: ids of 10000 and more, and functions
other than varchar, now, nextval, timestamp, transaction_timestamp, statement_timestamp, clock_timestamp and gen_random_uuid.
https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT"""
IS_INERT = f"""(
           c.relkind = 'r' AND c.relpersistence <> 't' AND c.reloftype = 0 AND NOT (c.relispartition OR c.relhassubclass
           OR c.relrowsecurity OR c.relhasrules OR c.relhastriggers)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits x WHERE x.inhrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast x WHERE x.castsource = c.reltype)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = c.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute x JOIN pg_catalog.pg_type y ON y.oid = x.atttypid
                        WHERE x.attrelid = c.oid AND x.attnum > 0
                          AND (y.oid >= 10000 OR y.typtype <> 'b' OR x.attcollation >= 10000))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef x WHERE x.adrelid = c.oid AND x.adbin::text {_FOREIGN})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint x WHERE x.conrelid = c.oid AND x.conbin::text {_FOREIGN})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_index x
                        WHERE x.indrelid = c.oid AND (x.indexprs IS NOT NULL OR x.indpred::text {_FOREIGN})))"""
"""A condition on `c` of pg_class that is true for most tables that contain no foreign code, and for no other table. The flags of
pg_class are never false for a table that has such a thing. https://www.postgresql.org/docs/current/catalog-pg-class.html"""
_IS_TRUSTED = Template("""(SELECT o.rolsuper OR o.rolname IN (CURRENT_USER, 'pg_database_owner', $owner)
            OR o.oid = (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
            OR pg_catalog.current_setting('is_superuser') = 'off' AND pg_catalog.pg_has_role(o.oid, 'USAGE')
          FROM pg_catalog.pg_roles o WHERE o.oid = $role)""")
"""A condition on the id of an owner that is true for most of those that are trusted, and for no other."""
_FAULTS = Template(f"""
WITH RECURSIVE granted (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER
    UNION
    SELECT m.roleid FROM granted g JOIN pg_catalog.pg_auth_members m ON m.member = g.oid
     WHERE coalesce(pg_catalog.to_jsonb(m) ->> 'set_option', 'true') = 'true'
        OR coalesce(pg_catalog.to_jsonb(m) ->> 'inherit_option', 'true') = 'true'
), trusted (oid) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
     WHERE r.rolsuper OR r.oid = d.datdba OR r.oid IN (SELECT g.oid FROM granted g)
        OR r.rolname IN ('pg_database_owner', $owner)
), relation AS (
    SELECT c.* FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $schema AND c.relname = ANY ($tables::pg_catalog.name[])
), code (oid, kind, name, class, id, sub, tree) AS (
    SELECT d.adrelid, CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated' END, a.attname,
           'pg_catalog.pg_attrdef'::pg_catalog.regclass, d.oid, 0, d.adbin::text
      FROM relation c JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT a.attrelid, 'generated', a.attname, 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum, NULL
      FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
    UNION ALL
    SELECT k.conrelid, 'constraint', k.conname, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0, k.conbin::text
      FROM relation c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid
    UNION ALL
    SELECT i.indrelid, 'index', x.relname, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, 0,
           pg_catalog.concat(i.indexprs::text, i.indpred::text)
      FROM relation c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    UNION ALL
    SELECT s.stxrelid, 'statistics', s.stxname, 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0, s.stxexprs::text
      FROM relation c JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = c.oid
), fault (name, kind, part, detail, owner) AS (
    SELECT ''::pg_catalog.name, 'schema', n.nspname, '', n.nspowner
      FROM pg_catalog.pg_namespace n WHERE n.nspname = $schema AND n.nspowner NOT IN (SELECT t.oid FROM trusted t)
    UNION ALL
    SELECT c.relname, 'owner', c.relname, c.relkind::text, c.relowner
      FROM relation c WHERE c.relowner NOT IN (SELECT t.oid FROM trusted t)
    UNION ALL
    SELECT c.relname, 'kind', c.relname, CASE WHEN c.relispartition THEN 'partition' WHEN c.reloftype <> 0 THEN 'typed'
           WHEN c.relpersistence = 't' THEN 'temporary' ELSE c.relkind::text END, c.relowner
      FROM relation c
     WHERE c.relkind <> 'r' OR c.relispartition OR c.reloftype <> 0 OR c.relpersistence = 't'
    UNION ALL
    SELECT c.relname, 'type', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), y.typowner
      FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
     WHERE y.typtype <> 'b' OR y.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    UNION ALL
    SELECT c.relname, 'collation', a.attname, l.collname::text, l.collowner
      FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
     WHERE l.collnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    UNION ALL
    SELECT c.relname, 'trigger', g.tgname, g.tgfoid::pg_catalog.regprocedure::text, p.proowner
      FROM relation c JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
     WHERE NOT g.tgisinternal
    UNION ALL
    SELECT DISTINCT c.relname, 'foreign key', k.conname, k.conrelid::pg_catalog.regclass::text, r.relowner
      FROM relation c JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid
      JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint JOIN pg_catalog.pg_class r ON r.oid = k.conrelid
     WHERE k.contype = 'f' AND NOT (k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r'))
    UNION ALL
    SELECT c.relname, 'rule', w.rulename, '', c.relowner
      FROM relation c JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid WHERE c.relkind IN ('r', 'p')
    UNION ALL
    SELECT c.relname, 'policy', p.polname, '', c.relowner
      FROM relation c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid WHERE c.relrowsecurity
    UNION ALL
    SELECT c.relname, 'parent', c.relname, h.inhparent::pg_catalog.regclass::text, c.relowner
      FROM relation c JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid WHERE NOT c.relispartition
    UNION ALL
    SELECT c.relname, 'child', c.relname, h.inhrelid::pg_catalog.regclass::text, c.relowner
      FROM relation c JOIN pg_catalog.pg_inherits h ON h.inhparent = c.oid WHERE c.relkind = 'r'
    UNION ALL
    SELECT c.relname, 'cast', c.relname, pg_catalog.format_type(k.casttarget, NULL), c.relowner
      FROM relation c JOIN pg_catalog.pg_cast k ON k.castsource = c.reltype
    UNION ALL
    SELECT DISTINCT c.relname, e.kind, e.name, o.type || ' ' || o.identity, c.relowner
      FROM relation c JOIN code e ON e.oid = c.oid JOIN pg_catalog.pg_depend d
        ON d.classid = e.class AND d.objid = e.id AND d.objsubid = e.sub
     CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) o
     WHERE d.refclassid NOT IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass,
                                'pg_catalog.pg_namespace'::pg_catalog.regclass, 'pg_catalog.pg_extension'::pg_catalog.regclass)
       AND o.schema IS DISTINCT FROM 'pg_catalog'
    UNION ALL
    SELECT DISTINCT c.relname, e.kind, e.name, 'function ' || p.oid::pg_catalog.regprocedure::text, c.relowner
      FROM relation c JOIN code e ON e.oid = c.oid
     CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, ':(op)?funcid ([0-9]+)', 'g') f (found)
      JOIN pg_catalog.pg_proc p ON p.oid = f.found[2]::pg_catalog.oid
     WHERE p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
        OR f.found[1] IS NULL AND p.provolatile <> 'i' AND p.proname NOT IN {_HARMLESS}
)
SELECT f.name::text, f.kind::text, f.part::text, f.detail::text, pg_catalog.pg_get_userbyid(f.owner)::text, CURRENT_USER::text,
       pg_catalog.pg_has_role(f.owner, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER), 'MEMBER')
  FROM fault f ORDER BY 1, 2, 3, 4
""")
"""Everything by which others could run code through tables. Objects of pg_catalog that every database has are not in pg_depend:
what a default, a constraint, an index or a statistics object depends on there is foreign, unless its schema is pg_catalog (before
PostgreSQL 15, a generated column itself depends on it, not its default). A foreign key that changes rows fires the triggers of
the other table: before PostgreSQL 18 as the user who deleted the row.
https://www.postgresql.org/docs/current/catalog-pg-depend.html https://www.postgresql.org/docs/18/release-18.html"""


class TableFault(NamedTuple):
    """Something by which others could run code through a table, or forge its rows: its kind, its name, and what it calls.

    `owner`: who owns it; `user`: the current user; `is_member`: whether the owner is a member of the current user. A fault of the
    schema has no table.
    """

    schema: str
    table: str
    kind: str
    name: str
    detail: str
    owner: str
    user: str
    is_member: bool


def read_ledger_owner(connection: psycopg.Connection) -> str:
    """Return the role that the setting LEDGER_OWNER names, empty if there is none."""
    return connection.ledger_owner if isinstance(connection, OwnConnection) else ""


def is_trusted(role: str, owner: str) -> str:
    """Return a condition on the owner of an object; both arguments are SQL: its id, and the role of LEDGER_OWNER."""
    return _IS_TRUSTED.substitute(role=role, owner=owner)


def list_faults(connection: psycopg.Connection, schema: str, tables: Sequence[str]) -> tuple[TableFault, ...]:
    """Return the faults of a schema and of those of these tables that exist in it."""
    rows = connection.execute(compose_faults(schema, tables, read_ledger_owner(connection)).encode()).fetchall()
    return tuple(TableFault(schema, *row) for row in rows)


def compose_faults(schema: str, tables: Sequence[str], owner: str) -> str:
    """Return the query for the faults of a schema and of its tables; LEDGER_OWNER names `owner`."""
    parts = {"schema": schema, "tables": list(tables), "owner": owner}
    return _FAULTS.substitute({name: sql.Literal(value).as_string() for name, value in parts.items()})
