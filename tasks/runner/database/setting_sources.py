"""Where the value of a setting comes from, in the words with which one changes it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

_QUERY = """
SELECT s.setting, current_setting(s.name), s.source, coalesce(s.sourcefile || ':' || s.sourceline, ''),
       quote_ident(session_user), quote_ident(current_database()), s.setting = s.reset_val
  FROM pg_settings s WHERE s.name = %s
"""
_ORIGINS = {
    "database": "ALTER DATABASE {database}",
    "user": "ALTER ROLE {role}",
    "database user": "ALTER ROLE {role} IN DATABASE {database}",
    "global": "ALTER ROLE ALL",
    "client": "the options of DATABASE_URL, or PGOPTIONS",
    "command line": "the command line of the server",
    "configuration file": "the configuration of the server",
    "session": "a statement of the file",
}
"""By the source that the server names: https://www.postgresql.org/docs/current/view-pg-settings.html"""


@dataclass(frozen=True, slots=True)
class SettingSource:
    """The value of a setting, as a number of its unit and as text, and what set it; empty if that is unknown."""

    number: int
    text: str
    origin: str


def find_setting_source(connection: psycopg.Connection, name: str) -> SettingSource | None:
    """Return the value of a numeric setting in a session, and what set it; None for an unknown one. Raises psycopg.Error."""
    # A plain cursor, because `execute` of our own connection would set our own value first.
    cursor = psycopg.Cursor(connection)
    row = cursor.execute(_QUERY, [name]).fetchone()
    if row is None:
        return None
    if row[2] == "session" and row[6]:
        # A run sets the session's own value again after it lifted it, which hides where that came from.
        cursor.execute(sql.SQL("BEGIN; RESET {}").format(sql.Identifier(name)))
        try:
            row = cursor.execute(_QUERY, [name]).fetchone() or row
        finally:
            cursor.execute("ROLLBACK")
    number, text, source, place, role, database, _ = row
    origin = _ORIGINS.get(source, "").format(role=role, database=database)
    return SettingSource(int(number), text, f"{origin} ({place})" if origin and place else origin)
