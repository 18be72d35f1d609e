"""The role as which rehearsed SQL runs: it owns the scratch databases of one process, and has no other right on the server.

It is a login of its own, because a statement can reset SET ROLE. It has a password that only this process knows. A process uses
the role as long as it has a lock on the role's name, so that concurrent rehearsals never share one. It is used again
afterwards, because objects in the cached states belong to it: REASSIGN OWNED would not move default privileges.
https://www.postgresql.org/docs/current/sql-reassign-owned.html
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch import roles
from tasks.runner.database.addresses import describe_database
from tasks.runner.database.session import connect
from tasks.runner.errors import ConnectError, RefusedError
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact

PREFIX = "migrate_rehearsal_"
_MOST = 64
"""The number of rehearsals that one role may run on a server at the same time."""
_NO_SUPERUSER_LIMIT = 160000
_COUNTS_ITERATIONS_SINCE = 160000
"""Many iterations make it slow to guess a password. They do not matter for 192 random bits, and the server repeats them whenever
it gets a verifier. https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-SCRAM-ITERATIONS"""
_DENIED = "42501"
_RIGHTS = """
SELECT r.rolname::text, r.rolsuper, r.rolcreaterole,
       r.rolreplication OR r.rolbypassrls OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid),
       r.oid::text || '_' || d.oid::text, (now() + interval '1 day')::text
  FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = current_database()
"""
_LOCK = "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(%s, 0))"
_AWAIT_LOCK = "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended(%s, 0))"
_LOCK_TIMEOUT = "5s"
"""How long the server may take to end a session that was lost."""
_UNLOCK = "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended(%s, 0))"
_IS_USABLE = """
SELECT NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls) AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles o ON o.oid = m.member
        WHERE m.roleid = r.oid AND o.rolname <> current_user AND NOT o.rolsuper)
  FROM pg_catalog.pg_roles r WHERE rolname = %s
"""
_MEMBERSHIPS = """
SELECT o.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
  JOIN pg_catalog.pg_roles r ON r.oid = m.member WHERE r.rolname = %s
"""
_END_SESSIONS = "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename = %s"


@dataclass(frozen=True, slots=True)
class ScratchLogin:
    """A role for rehearsed SQL, its password, and when that expires."""

    name: str
    password: str = field(repr=False)
    expires: str = ""


@dataclass(frozen=True, slots=True)
class _Rights:
    """What the role of the scratch server's URL may do, and what identifies it and its database."""

    name: str
    superuser: bool
    creates_roles: bool
    more: bool
    """Whether it has REPLICATION, BYPASSRLS or is a member of a role."""
    identity: str
    tomorrow: str


def open_login(connection: psycopg.Connection, url: str) -> ScratchLogin | None:
    """Return a role that only this process uses, while the session is open; None if the session's own role is to be used.

    That is the case for a role that can create databases and nothing else. Raises RefusedError if a role with more rights cannot
    create one without them, or that one cannot log in.
    """
    rights = _read_rights(connection)
    if not rights.superuser and not rights.creates_roles:
        if not rights.more:
            return None
        raise _refuse(url, f"{rights.name} is a member of other roles or has REPLICATION or BYPASSRLS, and cannot create roles")
    try:
        login = _acquire(connection, rights)
    except psycopg.Error as error:
        raise _refuse(url, f"{rights.name} cannot create one: {redact(describe_text(error), url)}") from error
    try:
        connect(login_url(url, login), name="migrate-scratch-login").close()
    except ConnectError as error:
        # The role need not be allowed to connect to this database.
        if error.sqlstate != _DENIED:
            release(connection, login)
            raise _refuse(url, f"it cannot log in: {error.message}") from error
    return login


def login_url(url: str, login: ScratchLogin | None, **changes: str) -> str:
    """Return the URL with some parameters changed, for the role of a login if there is one."""
    return make_conninfo(url, **changes, **({"user": login.name, "password": login.password} if login else {}))


def relock(connection: psycopg.Connection, login: ScratchLogin) -> None:
    """Take the lock on a role again in a new session; raises ScratchError if another process has it."""
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            connection.execute(_AWAIT_LOCK, [login.name])
    except psycopg.errors.LockNotAvailable as error:
        raise ScratchError("the session on the scratch server was lost, and another process uses its role now") from error


def restore(connection: psycopg.Connection, login: ScratchLogin) -> None:
    """Set the password of a role and reset its settings, which a role may change itself; raises psycopg.Error.

    The server gets only a verifier of the password, which it may log.
    """
    if connection.info.server_version >= _COUNTS_ITERATIONS_SINCE:
        connection.execute("SET scram_iterations TO 1")
    verifier = connection.pgconn.encrypt_password(login.password.encode(), login.name.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("ALTER ROLE {0} LOGIN PASSWORD {1} VALID UNTIL {2}; ALTER ROLE {0} RESET ALL").format(
            sql.Identifier(login.name), sql.Literal(verifier), sql.Literal(login.expires)
        )
    )


def release(connection: psycopg.Connection, login: ScratchLogin) -> None:
    """Drop a role; keep it without the right to log in if objects of cached states belong to it.

    The lock on it is released now: the server ends a closed session a moment later, when another process may have chosen another
    role, for which no state is cached.
    """
    name = sql.Identifier(login.name)
    try:
        connection.execute(_END_SESSIONS, [login.name])
        connection.execute(sql.SQL("DROP ROLE {}").format(name))
    except psycopg.Error:
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(name))
    with suppress(psycopg.Error):
        connection.execute(_UNLOCK, [login.name])


def _read_rights(connection: psycopg.Connection) -> _Rights:
    row = connection.execute(_RIGHTS).fetchone()
    assert row is not None
    return _Rights(*row)


def _acquire(connection: psycopg.Connection, rights: _Rights) -> ScratchLogin:
    """Return the first role of this URL's role and database that no other process uses; create it if necessary."""
    for number in range(1, _MOST + 1):
        login = ScratchLogin(f"{PREFIX}{rights.identity}_{number}", secrets.token_urlsafe(24), rights.tomorrow)
        row = connection.execute(_LOCK, [login.name]).fetchone()
        if row and row[0]:
            if _prepare(connection, login, rights):
                return login
            connection.execute(_UNLOCK, [login.name])
    raise ScratchError(
        f"more than {_MOST} rehearsals run as {rights.name} on the scratch server",
        hint="Wait until some of them have ended, and run this again.",
    )


def _prepare(connection: psycopg.Connection, login: ScratchLogin, rights: _Rights) -> bool:
    """Create a role, or let it log in again with another password; return False if its rights are not those of a new one.

    The SQL of an earlier rehearsal may have left a session of its role. The password expires, for a process that is killed.
    """
    usable = connection.execute(_IS_USABLE, [login.name]).fetchone()
    if usable is not None and not (usable[0] and _has_only_marked(connection, login.name)):
        return False
    name = sql.Identifier(login.name)
    if usable is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    restore(connection, login)
    if usable is not None:
        connection.execute(_END_SESSIONS, [login.name])
    if not rights.superuser:
        # The owner of a database must be a role that its creator can become.
        explicit = connection.info.server_version >= _NO_SUPERUSER_LIMIT
        options = sql.SQL(" WITH INHERIT TRUE, SET TRUE" if explicit else "")
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER{}").format(name, options))
    return True


def _has_only_marked(connection: psycopg.Connection, name: str) -> bool:
    """Return True if a role is only a member of roles that rehearsals created."""
    return {row[0] for row in connection.execute(_MEMBERSHIPS, [name])} <= roles.list_usable(connection)


def _refuse(url: str, reason: str) -> RefusedError:
    return RefusedError(
        f"the scratch server cannot run migrations as a role without other rights ({describe_database(url)}): {reason}",
        hint="Set SCRATCH_DATABASE_URL to a role that can create databases and nothing else:"
        " CREATE ROLE rehearsal LOGIN CREATEDB;\n"
        "If you trust the SQL, rehearse it with the rights of this role: --as-superuser",
        state="Nothing was changed.",
    )
