"""Whether a scratch database has the embedded server's stand-in for an extension, instead of the extension itself.

The name, version and comment are those of the extension, so that schemas are equal. The functions are not in C.
"""

from __future__ import annotations

import psycopg

from tasks.postgres.server.embedded import STAND_IN_NAMES

_HAS_A_CONTROL_PATH = 180000
"""https://www.postgresql.org/docs/release/18.0/"""
_CONTROL_PATH = "SELECT setting::text FROM pg_catalog.pg_settings WHERE name = 'extension_control_path'"
_FIND = """
SELECT DISTINCT e.extname::text
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.deptype = 'e'
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  JOIN pg_catalog.pg_proc p ON p.oid = d.objid
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE e.extname = ANY (%s) AND l.lanname <> 'c'
"""


def may_have_any(connection: psycopg.Connection) -> bool:
    """Return True if a server may have stand-ins: its extensions come from another folder too, or that may not be read."""
    if connection.info.server_version < _HAS_A_CONTROL_PATH:
        return False
    row = connection.execute(_CONTROL_PATH).fetchone()
    return row is None or row[0] not in ("", "$system")


def find_stand_ins(connection: psycopg.Connection) -> set[str]:
    """Return the extensions of a database that are stand-ins."""
    return {row[0] for row in connection.execute(_FIND, [list(STAND_IN_NAMES)])}
