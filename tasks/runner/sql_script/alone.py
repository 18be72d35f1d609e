"""A statement outside a transaction, with what a run does if an interrupted attempt has left something of it."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import Target
from tasks.runner.database.session_settings import SessionState, compose_own_settings
from tasks.runner.execution.leftovers import REINDEX_LEFTOVERS, waits_without_timeout
from tasks.runner.parsing import Statement
from tasks.runner.sql_script.psql_text import quote_text, write_condition

_INDEX = """
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({table}) AND c.relname OPERATOR(pg_catalog.=) {name}
   AND c.relkind OPERATOR(pg_catalog.=) 'i'"""
_EXISTS = {
    "database": "EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) {name})",
    "tablespace": "EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE spcname OPERATOR(pg_catalog.=) {name})",
    "subscription": "EXISTS (SELECT FROM pg_catalog.pg_subscription WHERE subname OPERATOR(pg_catalog.=) {name})",
    "index": "pg_catalog.to_regclass({qualified}) IS NOT NULL",
}
_PENDING = """
(SELECT {column} FROM pg_catalog.pg_inherits WHERE inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass({table})
    AND inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({qualified}))"""


def write_alone(statement: Statement, written: Iterable[str], state: SessionState) -> list[str]:
    """Return the lines that run a statement, unless an interrupted attempt has finished it, which the catalog shows.

    `migrate_unsure` is true if such an attempt may have run it.
    """
    waits = waits_without_timeout(statement)
    limits = (
        ["SET lock_timeout = 0;", "SET statement_timeout = 0;"] if waits else [f"SET lock_timeout = {state.lock_timeout_ms};"]
    )
    keep = (
        "SELECT pg_catalog.current_setting('lock_timeout') AS migrate_lock,"
        " pg_catalog.current_setting('statement_timeout') AS migrate_statement \\gset"
    )
    restore = write_settings("migrate_lock", "lock_timeout"), write_settings("migrate_statement", "statement_timeout")
    run = _write_target(statement.target, [*written], state)
    return [keep, *limits, *run, *restore]


def write_settings(variable: str, name: str) -> str:
    """Return the SQL that sets a setting to a variable of psql, without output."""
    return f"SELECT pg_catalog.set_config('{name}', :'{variable}', false) AS migrate_ignored \\gset"


def _write_target(target: Target | None, written: list[str], state: SessionState) -> list[str]:
    if target is None:
        return written
    names = {
        "table": quote_text(quote_qualified(target.table_schema, target.table)) if target.table else "NULL",
        "name": quote_text(target.name),
        "qualified": quote_text(quote_qualified(target.schema, target.name)) if target.name else "NULL",
    }
    if target.kind == "create index":
        found = _INDEX.format(**names)
        done = f"SELECT :'migrate_unsure'::pg_catalog.bool AND EXISTS (SELECT {found} AND i.indisvalid) AS migrate_skip \\gset"
        drop = (
            "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', n.nspname, c.relname)"
            f"{found} AND NOT i.indisvalid \\gexec"
        )
        return [done, drop, *write_condition("migrate_skip", ["\\echo The index exists already."], written)]
    if target.kind == "detach partition":
        detached, pending = (_PENDING.format(column=column, **names) for column in ("inhdetachpending", "inhdetachpending"))
        done = f"SELECT :'migrate_unsure'::pg_catalog.bool AND {detached} IS NULL AS migrate_skip \\gset"
        left = f"SELECT coalesce({pending}, false) AS migrate_left \\gset"
        table, name = quote_qualified(target.table_schema, target.table), quote_qualified(target.schema, target.name)
        finish = write_condition("migrate_left", [f"ALTER TABLE {table} DETACH PARTITION {name} FINALIZE;"], written)
        return [done, left, *write_condition("migrate_skip", ["\\echo The partition is detached already."], finish)]
    verb, _, kind = target.kind.partition(" ")
    exists = _EXISTS.get(kind) if verb in ("create", "drop") else None
    if exists is not None:
        there = exists.format(**names)
        done = (
            f"SELECT :'migrate_unsure'::pg_catalog.bool AND {'' if verb == 'create' else 'NOT '}({there}) AS migrate_skip \\gset"
        )
        return [done, *write_condition("migrate_skip", ["\\echo An interrupted attempt has done this already."], written)]
    if target.kind == "reindex":
        return [*write_condition("migrate_unsure", _drop_reindex_leftovers(target, names, state)), *written]
    return written


def _drop_reindex_leftovers(target: Target, names: dict[str, str], state: SessionState) -> list[str]:
    """Return the lines that drop the invalid indexes that an interrupted REINDEX CONCURRENTLY left, as a run does.

    What the names of the file refer to is found under its settings, the indexes under ours.
    """
    schema = quote_text(quote_qualified(target.schema)) if target.schema and not target.name else "NULL"
    query = REINDEX_LEFTOVERS.replace("%%", "%")
    for place, value in (
        ("to_regclass(%(table)s)", ":migrate_table::oid"),
        ("to_regclass(%(qualified)s)", ":migrate_index::oid"),
        ("%(name)s", names["name"]),
        ("%(table)s", names["table"]),
        ("%(schema)s", schema),
    ):
        query = query.replace(place, value)
    own = compose_own_settings(state.server_version, pooled=False, lock_timeout_ms=state.lock_timeout_ms)
    return [
        f"SELECT coalesce(pg_catalog.to_regclass({names['table']})::pg_catalog.oid, 0) AS migrate_table,"
        f" coalesce(pg_catalog.to_regclass({names['qualified']})::pg_catalog.oid, 0) AS migrate_index \\gset",
        f"BEGIN; {own};",
        "SELECT coalesce(string_agg('DROP INDEX CONCURRENTLY IF EXISTS ' || name, chr(10)), '') AS migrate_drops"
        f" FROM ({query}) found (name) \\gset",
        "COMMIT;",
        "SELECT pg_catalog.unnest(pg_catalog.string_to_array(:'migrate_drops', pg_catalog.chr(10))) \\gexec",
    ]
