"""Where the value of a setting comes from, in the words with which one changes it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from tasks.postgres.quoting import quote_identifier
from tasks.runner.database.names import read_as_file
from tasks.runner.database.session import roll_back, run_sql

_QUERY = """
SELECT s.setting, pg_catalog.current_setting(s.name), s.source,
       CASE WHEN s.sourcefile IS NULL THEN '' ELSE pg_catalog.concat_ws(':', s.sourcefile, s.sourceline) END,
       pg_catalog.quote_ident(session_user), pg_catalog.quote_ident(pg_catalog.current_database()),
       s.setting OPERATOR(pg_catalog.=) s.reset_val
  FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) %s
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
    row = read_as_file(connection, _QUERY, [name])
    if row is None:
        return None
    if row[2] == "session" and row[6]:
        # A run sets the session's own value again after it lifted it, which hides where that came from.
        run_sql(connection, f"BEGIN; RESET {quote_identifier(name)}")
        try:
            row = read_as_file(connection, _QUERY, [name]) or row
        finally:
            roll_back(connection)
    number, text, source, place, role, database, _ = row
    origin = _ORIGINS.get(source, "").format(role=role, database=database)
    return SettingSource(int(number), text, f"{origin} ({place})" if origin and place else origin)
