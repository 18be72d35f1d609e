"""What is dangerous about a connection, though a run works: warnings of the checks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.runner.events import CheckMade
from tasks.runner.ledger.environment_label import FLY_NETWORK, is_loopback
from tasks.runner.ledger.ownership import is_trusted
from tasks.runner.settings import LOCAL

_RUNNER = """
SELECT current_user::text, current_database()::text, rolsuper FROM pg_roles WHERE rolname = current_user
"""
_GRANTEES = "array_agg(DISTINCT CASE c.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(c.grantee)) END)"
_NO_OWNER = "''"
_MAY_CREATE = f"c.privilege_type = 'CREATE' AND NOT coalesce({is_trusted('c.grantee', _NO_OWNER)}, false)"
_CREATORS = f"""
SELECT n.nspname::text, {_GRANTEES}, bool_or(c.grantee = n.nspowner), pg_get_userbyid(n.nspowner)::text,
       pg_has_role(n.nspowner, 'USAGE')
  FROM unnest(%s::text[]) WITH ORDINALITY AS p (name, place) JOIN pg_namespace n ON n.nspname = p.name
 CROSS JOIN LATERAL (
       SELECT grantee, privilege_type FROM aclexplode(n.nspacl) UNION SELECT n.nspowner, 'CREATE') c
 WHERE {_MAY_CREATE} GROUP BY n.oid, p.place ORDER BY p.place
"""
"""https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS"""
_USER_SCHEMA = f"""
SELECT {_GRANTEES} FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) c
 WHERE d.datname = current_database() AND {_MAY_CREATE}
   AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = current_user)
   AND EXISTS (SELECT FROM pg_settings WHERE name = 'search_path' AND strpos(reset_val, '"$user"') > 0)
"""
"""Who may create the schema that the role's search_path names by "$user" and that does not exist."""
_ENCRYPTED = """
SELECT bool_or(encrypted) FROM (
    SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()
     UNION ALL SELECT encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()) AS s (encrypted)
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
