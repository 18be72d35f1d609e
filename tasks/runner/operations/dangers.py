"""What is dangerous about a connection, though a run works: warnings of the checks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.runner.events import CheckMade
from tasks.runner.ledger.environment_label import FLY_NETWORK, is_loopback
from tasks.runner.settings import LOCAL

_RUNNER = """
SELECT current_user::text, pg_catalog.current_database()::text, r.rolsuper
  FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user
"""
_TRUSTED = """
trusted AS (
    SELECT r.oid FROM pg_catalog.pg_roles r
     WHERE r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) current_user
        OR r.oid OPERATOR(pg_catalog.=) (SELECT d.datdba FROM pg_catalog.pg_database d
                                          WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
        OR r.rolname OPERATOR(pg_catalog.=) 'pg_database_owner'
    UNION
    SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN trusted t ON t.oid OPERATOR(pg_catalog.=) m.member
)"""
"""The roles that may create objects anyway: superusers, the database's owner, the current user, and the roles that these have."""
_CREATORS = f"""
WITH RECURSIVE {_TRUSTED},
     path AS (SELECT p.name, p.place FROM pg_catalog.unnest(%s::pg_catalog.text[]) WITH ORDINALITY AS p (name, place))
SELECT n.nspname::text,
       pg_catalog.array_agg(DISTINCT CASE WHEN c.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.grantee)::text) END),
       pg_catalog.bool_or(c.grantee OPERATOR(pg_catalog.=) n.nspowner), pg_catalog.pg_get_userbyid(n.nspowner)::text,
       pg_catalog.pg_has_role(n.nspowner, 'USAGE')
  FROM path p JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) p.name::pg_catalog.name
 CROSS JOIN LATERAL (
       SELECT a.grantee FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
        UNION SELECT n.nspowner) c
 WHERE NOT EXISTS (SELECT FROM trusted t WHERE t.oid OPERATOR(pg_catalog.=) c.grantee)
 GROUP BY n.nspname, n.nspowner, p.place ORDER BY p.place
"""
"""https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS"""
_USER_SCHEMA = f"""
WITH RECURSIVE {_TRUSTED}
SELECT pg_catalog.array_agg(DISTINCT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)::text) END)
  FROM pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) a
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
   AND NOT EXISTS (SELECT FROM trusted t WHERE t.oid OPERATOR(pg_catalog.=) a.grantee)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) current_user)
   AND EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) 'search_path'
                  AND pg_catalog.strpos(s.reset_val, '"$user"') OPERATOR(pg_catalog.>) 0)
"""
"""Who may create the schema that the role's search_path names by "$user" and that does not exist."""
_ENCRYPTED = """
SELECT pg_catalog.bool_or(encrypted) FROM (
    SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
     UNION ALL
    SELECT encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) AS s (encrypted)
"""


def find_dangers(connection: psycopg.Connection, path: Sequence[str], environment: str) -> Iterator[CheckMade]:
    """Yield a warning for each danger; `path` are the schemas of the role's search_path.

    The server of the local environment belongs to the developer, so that its superuser and its connection are no danger there.
    """
    row = connection.execute(_RUNNER).fetchone()
    if row is None:
        return
    user, database, is_superuser = row
    if environment != LOCAL:
        if is_superuser:
            yield _warn_about_superuser(user, database)
        yield from _check_encryption(connection)
    for schema, creators, by_owner, owner, may_revoke in connection.execute(_CREATORS, [list(path)]):
        yield _warn_about_schema(schema, creators, by_owner, owner if not may_revoke else "", user)
    named = connection.execute(_USER_SCHEMA).fetchone()
    if named is not None and named[0]:
        yield CheckMade(
            "search_path",
            True,
            f'it begins with "$user", and {", ".join(named[0])} may create the schema {show_identifier(user)}',
            f"REVOKE CREATE ON DATABASE {show_identifier(database)} FROM {', '.join(named[0])};",
            warning=True,
        )


def _warn_about_superuser(user: str, database: str) -> CheckMade:
    role, name = show_identifier(f"{database}_migrations"), show_identifier(database)
    return CheckMade(
        "runner",
        True,
        f"{show_identifier(user)} is a superuser: what a migration does, it may do to the server and all its databases",
        f"Use a role that owns the database and nothing else:\n  CREATE ROLE {role} LOGIN PASSWORD '…';\n"
        f"  ALTER DATABASE {name} OWNER TO {role};",
        warning=True,
    )


def _warn_about_schema(schema: str, creators: list[str], by_owner: bool, other_owner: str, user: str) -> CheckMade:
    """Return the warning about a schema in which others may create; `other_owner`: its owner, if the user has not its rights.

    A REVOKE of another role than the owner changes nothing, and that of PUBLIC also ends what the user may do by it.
    https://www.postgresql.org/docs/current/sql-revoke.html
    """
    name = show_identifier(schema)
    settled = f"-- {show_identifier(other_owner)}, who owns the schema, or a superuser has to run this:\n" if other_owner else ""
    if by_owner:
        settled += f"ALTER SCHEMA {name} OWNER TO {show_identifier(user)};\n"
    elif other_owner:
        settled += f"GRANT CREATE ON SCHEMA {name} TO {show_identifier(user)};\n"
    return CheckMade(
        "search_path",
        True,
        f"{', '.join(creators)} may create objects in the schema {name}, which the SQL of a migration can call by mistake",
        f"{settled}REVOKE CREATE ON SCHEMA {name} FROM {', '.join(creators)};",
        warning=True,
    )


def _check_encryption(connection: psycopg.Connection) -> Iterator[CheckMade]:
    host, address = connection.info.host, connection.info.hostaddr
    if is_loopback(host, address) or _is_on_fly(address):
        return
    row = connection.execute(_ENCRYPTED).fetchone()
    if row is None or not row[0]:
        yield CheckMade(
            "encryption",
            True,
            f"the connection to {host} is not encrypted",
            "Add sslmode=verify-full to the URL, with sslrootcert=system or the certificate of the server's authority.",
            warning=True,
        )


def _is_on_fly(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in FLY_NETWORK
    except ValueError:
        return False
