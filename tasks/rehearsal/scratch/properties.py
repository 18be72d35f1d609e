"""What a migration changes of its own database, other than what is in it: a copy does not have that by itself.

These are the settings of the database, the limit of its connections, and the right of its role to connect to it.
https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

_OURS = frozenset({"application_name", "lc_messages"})
"""What is set for scratch databases and for cached states."""
_UNLIMITED = -1
_READ = """
SELECT d.datconnlimit, pg_catalog.has_database_privilege(%(role)s, d.oid, 'CONNECT'),
       ARRAY(SELECT ARRAY[(s.setrole <> 0)::text, entry] FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS entry
              WHERE s.setdatabase = d.oid
                AND s.setrole IN (0, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = %(role)s)))
  FROM pg_catalog.pg_database d WHERE d.datname = %(name)s
"""


@dataclass(frozen=True, slots=True)
class DatabaseProperties:
    """The properties of a database: the settings each with whether it is for the role only, and its value as it is stored."""

    limit: int = _UNLIMITED
    connects: bool = True
    settings: tuple[tuple[bool, str, str], ...] = ()


AS_NEW = DatabaseProperties()


def read_properties(connection: psycopg.Connection, name: str, role: str) -> DatabaseProperties:
    """Return the properties of a database that the role of a rehearsal can change; those of a new one if it does not exist."""
    row = connection.execute(_READ, {"name": name, "role": role}).fetchone()
    if row is None:
        return AS_NEW
    limit, connects, settings = row
    split = ((of_role == "true", *entry.split("=", 1)) for of_role, entry in settings)
    return DatabaseProperties(limit, connects, tuple(each for each in split if each[1] not in _OURS))


def carry_over(connection: psycopg.Connection, properties: DatabaseProperties, name: str, role: str) -> None:
    """Set the properties of another database on a new one; what cannot be set is left out."""
    for statement in _list_statements(properties, name, role):
        with suppress(psycopg.Error):
            connection.execute(statement)
    for of_role, setting, value in properties.settings:
        whose = "ALTER ROLE {1} IN DATABASE {0}" if of_role else "ALTER DATABASE {0}"
        alter = sql.SQL(f"{whose} SET {{2}} FROM CURRENT")
        with suppress(psycopg.Error), connection.transaction():
            # A list is stored as one text, which SET would take for one element.
            connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", [setting, value])
            connection.execute(alter.format(sql.Identifier(name), sql.Identifier(role), sql.Identifier(*setting.split("."))))


def _list_statements(properties: DatabaseProperties, name: str, role: str) -> Iterator[sql.Composed]:
    database = sql.Identifier(name)
    if properties.limit != _UNLIMITED:
        yield sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, sql.Literal(properties.limit))
    if not properties.connects:
        yield sql.SQL("REVOKE CONNECT ON DATABASE {} FROM {}").format(database, sql.Identifier(role))
