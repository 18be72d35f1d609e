"""What a scratch server is to the SQL that is rehearsed on it, as a value to compare: on two equal ones, results are equal."""

from __future__ import annotations

from tasks.rehearsal.scratch.login import PREFIX
from tasks.rehearsal.scratch.roles import list_marked
from tasks.rehearsal.scratch.server import ScratchServer

_SETTINGS = ("Client Connection Defaults", "Customized Options", "Lock Management", "Preset Options", "Version and Platform")
"""The beginnings of the categories of settings on which the effect of a statement may depend."""
_MAJOR = 10000
_FACTS = """
SELECT pg_catalog.version(),
       ARRAY(SELECT ROW(name, version)::text FROM pg_catalog.pg_available_extension_versions ORDER BY name, version),
       ARRAY(SELECT ROW(name, reset_val)::text FROM pg_catalog.pg_settings
              WHERE category LIKE ANY (%s) AND name <> 'application_name' ORDER BY name),
       ARRAY(SELECT spcname::text FROM pg_catalog.pg_tablespace ORDER BY 1),
       (SELECT (pg_catalog.to_jsonb(d) - ARRAY['oid', 'dattablespace', 'datfrozenxid', 'datminmxid', 'datacl'])::text
          FROM pg_catalog.pg_database d WHERE datname = 'template0'),
       (SELECT ROW(rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)::text
          FROM pg_catalog.pg_roles WHERE rolname = current_user),
       ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles ORDER BY 1)
"""


def describe_server(server: ScratchServer) -> str:
    """Return the version, extensions, settings, locale, tablespaces and roles of a server, and how it is used.

    The roles of rehearsals do not count. Raises ScratchError.
    """
    with server.explain():
        connection = server.administer()
        row = connection.execute(_FACTS, [[f"{name}%" for name in _SETTINGS]]).fetchone()
        assert row is not None
        *facts, names = row
        made = list_marked(connection)
    own_roles = [name for name in names if name not in made and not name.startswith(PREFIX)]
    # A target of the same major version has the same schemas as one that is not known.
    target = server.target_version // _MAJOR
    other = 0 if target == server.version // _MAJOR else target
    return repr((facts, own_roles, sorted(server.without), server.limited, server.embedded, other))
