"""Databases of a server as a whole: what is in one, who uses it, and how one is created or dropped.

The statements run in the server's maintenance database: a session can neither create nor drop the database that it is in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.commands.local.locality import require_local
from tasks.config.environments import Environment
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import Line, Style
from tasks.postgres.quoting import show_identifier
from tasks.runner.database.activity import SESSION_COLUMNS, build_session
from tasks.runner.database.addresses import describe_database, resolve
from tasks.runner.database.session import connect
from tasks.runner.errors import ConnectError, RefusedError, RunnerError
from tasks.runner.events import Event, Session, event
from tasks.runner.ledger.environment_label import is_on_this_machine
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact
from tasks.runner.signals import Stop

UNCHANGED = "Nothing was changed."
_AGAIN = "Run the same command again when it has ended."
_MAINTENANCE = ("postgres", "template1")
"""https://www.postgresql.org/docs/current/manage-ag-createdb.html"""
_ENDED = frozenset({None, psycopg.errors.AdminShutdown.sqlstate})
"""The errors of a session that was ended: the server's message does not always arrive."""
_EXISTS = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)"
_SESSIONS = f"""
SELECT {SESSION_COLUMNS} FROM pg_stat_activity a
 WHERE a.datname = %s AND a.backend_type = 'client backend' AND a.application_name NOT LIKE ALL (%s) ORDER BY a.pid
"""
_CONTENT = """
SELECT count(*) FILTER (WHERE NOT c.relispartition),
       coalesce(sum(greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)) FILTER (WHERE c.relkind <> 'p'), 0)::bigint,
       pg_database_size(current_database())
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relname NOT LIKE 'schema\\_migrations%'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
"""
_HINTS = {
    "42501": "The role must own the database, and be allowed to create databases: ALTER ROLE … CREATEDB; by a superuser.",
    "55006": "Another session uses it in a way that cannot be ended: a replication slot, a subscription or a prepared"
    " transaction. Drop that first.",
}
_WORDS = {
    "created": "✅ Created the database {}",
    "exists": "✅ The database {} exists",
    "dropped": "✅ Dropped the database {}",
    "absent": "✅ The database {} does not exist",
    "replaced": "✅ Dropped and created the database {}",
}


@event("database_changed")
@dataclass(frozen=True, slots=True)
class DatabaseChanged(Event):
    """What a command did with a database as a whole: created, exists (already), dropped, absent (already) or replaced."""

    name: str
    database: str
    """User, host, port and name, without the password."""
    change: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is lost with a database: tables, rows as the statistics estimate them, bytes, and the sessions that are ended."""

    tables: int
    rows: int
    size: int
    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class LocalDatabase:
    """A local database, which may not exist."""

    url: str
    name: str
    exists: bool

    def describe(self, change: str) -> DatabaseChanged:
        """Return the event about a change."""
        return DatabaseChanged(self.name, describe_database(self.url), change)


def register_messages() -> None:
    """Register the formatter of the event."""
    register_formatters({DatabaseChanged: _format_change})


def _format_change(event: DatabaseChanged, _style: Style) -> list[Line]:
    return [Line(_WORDS[event.change].format(f"{clean(event.name)} ({clean(event.database)})"), "good")]


def find_local(environment: Environment, stop: Stop, *, command: str) -> LocalDatabase:
    """Return the database of an environment, which may not exist; raises RefusedError unless it is local."""
    try:
        url = require_local(environment, stop, command=command)
    except ConnectError:
        url = environment.settings.database_url
        with administer(url) as connection:
            if exists(connection, find_name(url)):
                _reserve(connection, find_name(url))
                raise
            if not is_on_this_machine(connection):
                raise RefusedError(
                    f"{command} works on local databases only: {describe_database(url)} is not on this machine",
                    hint="To create a database on another machine: inv db.create",
                    state=UNCHANGED,
                ) from None
        return LocalDatabase(url, find_name(url), exists=False)
    return LocalDatabase(url, find_name(url), exists=True)


def find_name(url: str) -> str:
    """Return the name of the database of a URL."""
    return resolve(url).database


@contextmanager
def administer(url: str) -> Iterator[psycopg.Connection]:
    """Yield a session in the maintenance database of the server of a URL; errors of the server are raised as RunnerError."""
    name = find_name(url)
    first, *others = [database for database in _MAINTENANCE if database != name]
    try:
        connection = connect(make_conninfo(url, dbname=first), name="migrate-database")
    except ConnectError:
        if not others:
            raise
        connection = connect(make_conninfo(url, dbname=others[0]), name="migrate-database")
    try:
        yield connection
    except psycopg.Error as error:
        raise RunnerError(
            redact(describe_text(error), url),
            hint=_HINTS.get(error.sqlstate or "", ""),
            state=UNCHANGED,
            sqlstate=error.sqlstate or "",
        ) from error
    finally:
        connection.close()


@contextmanager
def reserve(found: LocalDatabase) -> Iterator[None]:
    """Exclude other commands that create or drop this database; raises RefusedError if one is running."""
    with administer(found.url) as connection:
        _reserve(connection, found.name)
        yield


def _reserve(connection: psycopg.Connection, name: str) -> None:
    key = int.from_bytes(hashlib.sha256(f"migrate-database {name}".encode()).digest()[:8], signed=True)
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
    if row is None or not row[0]:
        raise RefusedError(
            f"another command is creating or dropping the database {show_identifier(name)}", hint=_AGAIN, state=UNCHANGED
        )


@contextmanager
def refuse_ended_sessions() -> Iterator[None]:
    """Raise RefusedError if a session in the database was ended, before anything was changed: another command may drop it."""
    try:
        yield
    except ConnectError:
        raise
    except (psycopg.OperationalError, RunnerError) as error:
        cause = error.__cause__ if isinstance(error, RunnerError) else error
        if not isinstance(cause, psycopg.OperationalError) or cause.sqlstate not in _ENDED:
            raise
        raise RefusedError(
            "a session of this command was ended; another command may have dropped the database", hint=_AGAIN, state=UNCHANGED
        ) from error


def exists(connection: psycopg.Connection, name: str) -> bool:
    """Return True if the server has a database of this name."""
    row = connection.execute(_EXISTS, [name]).fetchone()
    return bool(row and row[0])


def read_content(url: str, connection: psycopg.Connection, name: str) -> Content:
    """Return what would be lost with a database; the sessions of this tool itself do not count."""
    own = ["migrate-read %", "migrate-lock %", "migrate-database"]
    sessions = tuple(build_session(row) for row in connection.execute(_SESSIONS, [name, own]))
    with connect(url, name="migrate-read content") as session:
        row = session.execute(_CONTENT).fetchone()
    tables, rows, size = row or (0, 0, 0)
    return Content(tables, rows, size, sessions)


def create(connection: psycopg.Connection, name: str) -> bool:
    """Create an empty database in UTF-8 that belongs to the current role; return False if it exists already."""
    query = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
    try:
        connection.execute(query)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return False
    return True


def drop(connection: psycopg.Connection, name: str) -> None:
    """Drop a database, if it exists, and end its sessions.

    https://www.postgresql.org/docs/current/sql-dropdatabase.html
    """
    with suppress(psycopg.errors.InvalidCatalogName):
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
