"""A restored database: its label, its owner, and the moment at which it takes the place of the old one."""

from __future__ import annotations

import secrets

import psycopg
from psycopg import sql

from tasks.runner.settings import LOCAL

_COUNT = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
"""
_LABELS = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'schema_migrations_meta' AND c.relkind = 'r'
   AND 2 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('key', 'value'))
"""
_OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
_END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
_LONGEST_STEM = 40


def count_tables(connection: psycopg.Connection) -> int:
    """Return the number of a database's own tables."""
    row = connection.execute(_COUNT).fetchone()
    return int(row[0]) if row else 0


def label_local(connection: psycopg.Connection) -> None:
    """Record in a restored database that it is the local one: a copy of production has the label of production.

    The session is that of the role without other rights, since a trigger of the dump may fire.
    """
    for (schema,) in connection.execute(_LABELS).fetchall():
        query = "UPDATE {} SET value = %s WHERE key = 'environment'"
        connection.execute(sql.SQL(query).format(sql.Identifier(schema, "schema_migrations_meta")), [LOCAL])


def take_over(connection: psycopg.Connection, role: str) -> None:
    """Make the current user the owner of what a role owns in a database, and revoke what the role was granted there."""
    if role:
        names = {"role": sql.Identifier(role)}
        connection.execute(sql.SQL("REASSIGN OWNED BY {role} TO CURRENT_USER").format(**names))
        connection.execute(sql.SQL("DROP OWNED BY {role}").format(**names))


def replace_database(connection: psycopg.Connection, *, old: str, new: str) -> None:
    """Rename one database to the name of another, with its owner, and drop that; both names change in one transaction.

    Sessions in the old database are ended. If the names cannot be changed, it is as before.
    """
    moved = f"{old[:_LONGEST_STEM]}_replaced_{secrets.token_hex(4)}"
    names = {"old": sql.Identifier(old), "new": sql.Identifier(new), "moved": sql.Identifier(moved)}
    row = connection.execute(_OWNER, [old]).fetchone()
    assert row is not None
    names["owner"] = sql.Identifier(row[0])
    connection.execute(sql.SQL("ALTER DATABASE {old} ALLOW_CONNECTIONS false").format(**names))
    try:
        connection.execute(_END_SESSIONS, [old])
        connection.execute(_END_SESSIONS, [new])
        with connection.transaction():
            connection.execute(sql.SQL("ALTER DATABASE {new} OWNER TO {owner}").format(**names))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {new} TO PUBLIC").format(**names))
            connection.execute(sql.SQL("ALTER DATABASE {old} RENAME TO {moved}").format(**names))
            connection.execute(sql.SQL("ALTER DATABASE {new} RENAME TO {old}").format(**names))
    except BaseException:
        connection.execute(sql.SQL("ALTER DATABASE {old} ALLOW_CONNECTIONS true").format(**names))
        raise
    connection.execute(sql.SQL("DROP DATABASE {moved} WITH (FORCE)").format(**names))
