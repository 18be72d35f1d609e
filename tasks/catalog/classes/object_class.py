"""A class of objects, and the SQL that several classes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from tasks.postgres.secret_words import OPTION_NAMES, OPTION_VALUES

OLDEST, NEWEST = 14, 99

Row: TypeAlias = tuple[Any, ...]

FIRST_OWN_OID = 16384
"""Objects with a smaller OID were created by initdb: https://www.postgresql.org/docs/current/system-catalog-initial-data.html"""

LEDGER_TABLES = (
    "schema_migrations",
    "schema_migrations_log",
    "schema_migrations_meta",
    "schema_migrations_scripts",
    "schema_migrations_seeds",
)
"""The tables of the ledger, which are ignored in every schema, with everything that belongs to them."""


class ObjectClass(NamedTuple):
    """A class of objects, and how it is read.

    `query` returns rows of kind, name, parent and definition; a row without a definition is ignored (another session dropped the
    object in the meantime). It runs on the major versions from `since` to `until`. `trace` is a FROM and WHERE clause that finds
    a row of the catalog if there is any such object. If it finds none, the query is not run: planning it is most of its cost.
    """

    title: str
    query: str
    trace: str = ""
    since: int = OLDEST
    until: int = NEWEST
    split: Callable[[Sequence[Row]], Iterable[Row]] = iter
    """What makes rows of four values of those that the query returns, if it returns more: one row for each object.

    To read several kinds with one query is less work for the server, and the client has time while the server works.
    """
    of_relation: bool = False
    """Whether all objects are relations, or belong to one, so that it can be read for some relations only."""
    hashes: bool = False
    """Whether the query joins so many rows by hashing that the server must not choose a loop over an index.

    The server has no statistics of the catalog of a new database, and then expects few rows.
    """


def exclude_members(catalog: str, oid: str) -> str:
    """Return the condition that an object is not a member of an extension.

    It reads the members of all extensions once, with an index, rather than once for each object.
    """
    return f"""{oid} NOT IN (SELECT objid FROM pg_depend
        WHERE refclassid = 'pg_extension'::regclass AND classid = '{catalog}'::regclass AND deptype = 'e')"""


def exclude_parts(catalog: str, oid: str) -> str:
    """Return the condition that an object was not created as part of another."""
    return f"NOT EXISTS (SELECT FROM pg_depend WHERE classid = '{catalog}'::regclass AND objid = {oid} AND deptype = 'i')"


def list_options(options: str, *, hide: bool = False) -> str:
    """Return the SQL of `OPTIONS (name 'value', …)` for an array of options; `hide` masks possible secrets."""
    value = f"CASE WHEN option_name ~* '{OPTION_NAMES}' OR option_value ~* '{OPTION_VALUES}' THEN '***' ELSE option_value END"
    return f"""(
        SELECT 'OPTIONS (' || string_agg(quote_ident(option_name) || ' ' ||
            quote_literal({value if hide else "option_value"}), ', ' ORDER BY option_name) || ')'
        FROM pg_options_to_table({options}))"""


def list_settings(options: str, prefix: str = "") -> str:
    """Return the SQL of `name=value, …`, sorted, for an array of storage parameters."""
    return f"(SELECT string_agg('{prefix}' || setting, ', ' ORDER BY setting) FROM unnest({options}) AS setting)"


def find_order(options: str, toast: str = "NULL::text[]") -> str:
    """Return the SQL of the same in the order that arrays of storage parameters have, which is null if they are sorted."""
    ordered, in_order = (
        f"""(SELECT string_agg(prefix || setting, ', ' ORDER BY prefix, {key}) FROM (
            SELECT '' AS prefix, setting, number FROM unnest({options}) WITH ORDINALITY AS one (setting, number)
            UNION ALL SELECT 'toast.', setting, number FROM unnest({toast}) WITH ORDINALITY AS one (setting, number)) AS every)"""
        for key in ("number", "setting")
    )
    return f"CASE WHEN cardinality({options}) > 1 OR cardinality({toast}) > 1 THEN nullif({ordered}, {in_order}) END"


_LEDGER = ", ".join(f"'{name}'" for name in LEDGER_TABLES)

ONLY = "/* only */"
"""Where a query is restricted to some relations, if it is."""

SCHEMAS = f"""
schemas AS NOT MATERIALIZED (
    SELECT oid, quote_ident(nspname) AS name, nspname, nspowner, nspacl
    FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND {exclude_members("pg_namespace", "oid")}
),
user_schemas AS NOT MATERIALIZED (
    SELECT oid, quote_ident(nspname) AS name
    FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
)"""
"""`schemas` are the schemas of users; `user_schemas` also those of extensions, which may contain objects of users."""

# As regclass writes it for a schema that is not in the search_path, but without looking up the relation.
_NAME = "user_schemas.name || '.' || quote_ident(relname)"

RELATIONS = f"""{SCHEMAS},
relations AS NOT MATERIALIZED (
    SELECT class.oid, {_NAME} AS name, relkind, relname, relnamespace, relowner, relacl, relpersistence, relam,
        reloptions, reltoastrelid, reltablespace, relispartition, relpartbound, reloftype, relrowsecurity, relforcerowsecurity,
        relreplident
    FROM pg_class AS class
    JOIN user_schemas ON user_schemas.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
      AND relpersistence <> 't'
      AND NOT (relkind IN ('r', 'p') AND relname IN ({_LEDGER}))
      AND {exclude_members("pg_class", "class.oid")} {ONLY}
)"""
"""The tables and views, with their names in SQL."""

NAMED_RELATIONS = RELATIONS.replace("relations AS NOT MATERIALIZED", "relations AS MATERIALIZED")
"""The same, for a query with several rows for each: the server makes each name once."""

OWNED_SEQUENCES = f"""{RELATIONS},
sequences AS NOT MATERIALIZED (
    SELECT class.oid, {_NAME} AS name, relowner, relacl, relpersistence, relname, relnamespace,
        deptype, refobjid AS table_oid, refobjsubid AS table_column
    FROM pg_class AS class
    JOIN user_schemas ON user_schemas.oid = relnamespace
    LEFT JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = class.oid AND refclassid = 'pg_class'::regclass
        AND refobjsubid > 0 AND deptype IN ('a', 'i')
    WHERE relkind = 'S'
      AND relpersistence <> 't'
      AND {exclude_members("pg_class", "class.oid")} {ONLY}
      AND (refobjid IS NULL OR refobjid IN (SELECT oid FROM relations))
)"""
"""Also the sequences, with the columns that own them."""
