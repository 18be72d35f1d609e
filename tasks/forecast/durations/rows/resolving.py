"""From the names of relations in an environment to the tables on scratch that have to be filled for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import psycopg

_RELATIONS = """
SELECT w.name, c.oid::int8, c.relkind::text, coalesce(pg_partition_root(c.oid)::oid, c.oid)::int8
  FROM unnest(%s::text[]) AS w(name) JOIN pg_class c ON c.oid = to_regclass(w.name)
"""
_BASES = """
WITH RECURSIVE bases AS (
    SELECT %s::oid AS oid
     UNION
    SELECT d.refobjid FROM bases JOIN pg_rewrite r ON r.ev_class = bases.oid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class)
SELECT b.oid::int8, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
       coalesce(pg_partition_root(c.oid)::oid, c.oid)::int8
  FROM bases b JOIN pg_class c ON c.oid = b.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm')
"""
_TABLES = "rp"


@dataclass(slots=True)
class Wanted:
    """The tables to fill, each with the names by which it and its partitions are wanted; and the views to refresh."""

    tables: dict[int, set[str]] = field(default_factory=dict)
    views: list[int] = field(default_factory=list)

    def add(self, root: int, name: str) -> None:
        """Add a table, or a partition of it."""
        self.tables.setdefault(root, set()).add(name)


def resolve_wanted(connection: psycopg.Connection, names: Collection[str]) -> Wanted:
    """Return what has to be filled for relations; names that do not exist on scratch lead to nothing."""
    wanted = Wanted()
    for name, oid, kind, root in connection.execute(_RELATIONS, [list(names)]).fetchall():
        if kind in _TABLES:
            wanted.add(root, name)
        elif kind == "m":
            _add_view(connection, wanted, oid)
    return wanted


def _add_view(connection: psycopg.Connection, wanted: Wanted, view: int) -> None:
    """Add a materialized view with the tables that it is made from; one that it reads is refreshed before it."""
    for oid, name, kind, root in connection.execute(_BASES, [view]).fetchall():
        if kind in _TABLES:
            wanted.add(root, name)
        elif oid != view and oid not in wanted.views:
            wanted.views.insert(0, oid)
    if view not in wanted.views:
        wanted.views.append(view)
