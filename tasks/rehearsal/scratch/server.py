"""The scratch server, and the scratch databases that are created and dropped on it."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.postgres.server import embedded
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch import cache, creating, extensions, owners, properties, roles
from tasks.rehearsal.scratch.login import ScratchLogin, login_url, open_login, release, relock, restore
from tasks.rehearsal.scratch.stand_ins import find_stand_ins, may_have_any
from tasks.runner.database.addresses import describe_database, resolve
from tasks.runner.database.session import connect, is_pooled
from tasks.runner.errors import ConnectError, RunnerError
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact

SETTING = "SCRATCH_DATABASE_URL"
_HINTS = {
    "42501": "The role must be allowed to create databases: ALTER ROLE … CREATEDB;",
    "53100": "The scratch server's disk is full. Free disk space on it.",
    "53300": "Too many sessions on the scratch server. Close some, or increase max_connections.",
}
_PUBLIC_HAS_AN_OWNER = 150000
"""Since 15, the schema public belongs to the owner of the database: https://www.postgresql.org/docs/release/15.0/"""
_PINNED = "-c search_path=pg_catalog,pg_temp"
_ASYNCHRONOUS = "-c synchronous_commit=off"
"""A scratch database need not survive a crash of the server. What is copied from it for the cache is written before that ends."""


@dataclass(frozen=True, slots=True)
class ScratchDatabase:
    """A scratch database; `without` are the extensions that are excluded on it. The role of its URL has no other rights."""

    url: str
    name: str
    without: tuple[str, ...]
    server: ScratchServer = field(repr=False, compare=False)


class ScratchServer:
    """A server for scratch databases; its session shows other processes that this one is alive.

    `url` is that of the server's administrative database, in which nothing is changed. Its role creates the databases for
    another, which has no rights beyond them, and as which everything else connects; `as_superuser`, everything runs as the role
    of the URL. Close the server after use, or use it in a `with`. Raises RefusedError where there can be no such role.
    """

    def __init__(
        self,
        url: str,
        *,
        without: Sequence[str] = (),
        embedded: bool = False,
        as_superuser: bool = False,
        limits: cache.CacheLimits | None = None,
    ) -> None:
        self.url = url
        self.without = tuple(without)
        self.embedded = embedded
        self.limited = not as_superuser
        """Whether the rehearsed SQL has no rights beyond its scratch database."""
        self.limits = limits or cache.CacheLimits()
        self.target_version = 0
        """The server_version of the target whose schema is compared with those on this server; 0 if there is none."""
        self._owner = owners.Owner()
        self._session: list[psycopg.Connection] = []
        self._logins: list[ScratchLogin] = []
        self.close = weakref.finalize(self, _close, self._session, self._logins)
        self.version = self.administer().info.server_version
        self._strategy = creating.choose_strategy(self.administer())
        self._may_have_stand_ins = may_have_any(self.administer())
        self._stand_ins: set[str] = set()
        self.sweep()
        login = open_login(self.administer(), url) if self.limited else None
        self._logins += [login] if login else []

    def __enter__(self) -> ScratchServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def make(self, template: str = "") -> Iterator[ScratchDatabase]:
        """Create a scratch database, empty or as a copy, yield it, and drop it at the end; raises ScratchError."""
        name = self._owner.name_database()
        try:
            with self.explain():
                creating.create_database(self.administer(), name, template, strategy=self._strategy, owner=self.role)
                creating.open_database(self.administer(), name)
                if not template:
                    self._own_public(name)
                if template and not template.startswith(cache.PREFIX):
                    properties.carry_over(self.administer(), self._read_properties(template), name, self._user)
                self.restore_role()
            yield self.name(name)
        finally:
            with self.explain():
                self._note_stand_ins(name)
                owners.drop_database(self.administer(), name)
                self._drop_roles()

    @property
    def oldest_version(self) -> int:
        """Return the version of the oldest server that must run what is written here, the target or this one."""
        return self.target_version or self.version

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Return the extensions of which a dropped scratch database had the embedded server's stand-in, not the extension."""
        return tuple(sorted(self._stand_ins))

    def note_stand_ins(self, names: Iterable[str]) -> None:
        """Remember that stand-ins were used for this command elsewhere: by another process, or when a verdict was found."""
        self._stand_ins.update(names)

    def find_stand_ins(self, connection: psycopg.Connection) -> tuple[str, ...]:
        """Return the extensions of a database of this server of which it has the stand-in; raises psycopg.Error."""
        return tuple(sorted(find_stand_ins(connection))) if self._may_have_stand_ins else ()

    @property
    def role(self) -> str:
        """Return the role that was made for the rehearsed SQL; "" if it runs as the role of the URL."""
        return self._login.name if self._login else ""

    @property
    def state_key(self) -> tuple[str, ...]:
        """Return what a state depends on in addition to the texts: excluded extensions, stand-ins, whose the objects are."""
        stand_ins = [f"stand-ins {embedded.sum_stand_ins()}"] if self._may_have_stand_ins else []
        return (*self.without, f"role {self.role}, limited {self.limited}", *stand_ins)

    def name_database(self) -> str:
        """Return a name for another scratch database of this process."""
        return self._owner.name_database()

    def name(self, database: str) -> ScratchDatabase:
        """Return a database of this server by its name."""
        url = login_url(self.url, self._login, dbname=database, options=self._add_option(_ASYNCHRONOUS))
        return ScratchDatabase(url, database, self.without, self)

    def restore_role(self) -> None:
        """Undo what the rehearsed SQL changed in the password and the settings of its role, if the role is ours."""
        with self.explain():
            if self._login:
                restore(self.administer(), self._login)

    def make_roles(self, names: Collection[str]) -> set[str]:
        """Create the roles that do not exist, without rights; return those of all names that rehearsals created."""
        with self.explain():
            return roles.make(self.administer(), names, self.role)

    def administer_extension(self, database: ScratchDatabase, statement: extensions.ExtensionStatement, schema: str) -> None:
        """Carry out a statement about extensions that the rehearsal's role may not run, without trusting the database.

        Sessions in the database are ended. `schema` is where an extension is created if the statement does not state it.
        Raises UnsafeExtensionError or psycopg.Error.
        """
        with connect(self._pin(database.name), name="migrate-scratch-extension") as connection:
            extensions.administer(connection, statement, schema)

    def cache_state(self, database: ScratchDatabase, name: str) -> None:
        """Cache a copy of a scratch database, in which no session is open, under the name of its state, if that is possible.

        One whose settings and the like a migration has changed is not cached, since later copies would not have them.
        """
        with suppress(psycopg.Error):
            connection = self.administer()
            if name in cache.read_cached(connection) or self._read_properties(database.name) != properties.AS_NEW:
                return
            draft = self._owner.name_database()
            try:
                creating.create_database(connection, draft, database.name, strategy=self._strategy, owner="")
                cache.store(connection, draft, name)
            finally:
                owners.drop_database(self.administer(), draft)
            cache.evict(connection, self.limits)

    def drop_states(self) -> None:
        """Drop all cached states on the server, and the roles that rehearsals created."""
        with self.explain():
            cache.evict(self.administer(), cache.CacheLimits(0, 0))
            self._drop_roles()

    def sweep(self) -> None:
        """Drop the scratch databases of dead processes."""
        with self.explain():
            owners.sweep(self.administer())
            self._drop_roles()

    def administer(self) -> psycopg.Connection:
        """Return the session on the administrative database that shows that this process is alive; reopen it if it was lost.

        Rehearsed SQL may end it, if it runs as the role of the URL.
        """
        if not self._session or is_ended(self._session[0]):
            self._session[:] = [self.open_session()]
        return self._session[0]

    def open_session(self) -> psycopg.Connection:
        """Return a new session on the administrative database that shows, too, that this process is alive."""
        try:
            connection = connect(self.url, name=self._owner.session)
        except ConnectError as error:
            hint = error.hint.replace("DATABASE_URL", SETTING)
            raise ScratchError(f"cannot use the scratch server: {error.message}", hint=hint, sqlstate=error.sqlstate) from error
        if is_pooled(connection):
            connection.close()
            raise ScratchError(
                f"{describe_database(self.url)} is a connection pooler; the scratch server needs direct connections",
                hint=f"Set {SETTING} to a direct connection to the server.",
            )
        self._owner.prepare(connection)
        try:
            for login in self._logins:
                relock(connection, login)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def _login(self) -> ScratchLogin | None:
        return self._logins[0] if self._logins else None

    @property
    def _user(self) -> str:
        """Return the role as which the rehearsed SQL runs."""
        return self.role or self.administer().info.user

    def _read_properties(self, database: str) -> properties.DatabaseProperties:
        return properties.read_properties(self.administer(), database, self._user)

    def _own_public(self, name: str) -> None:
        """Make the role of the rehearsal own the schema public, as the owner of a database does since 15."""
        if self.role and self.version < _PUBLIC_HAS_AN_OWNER:
            url = make_conninfo(self.url, dbname=name)
            # Only a superuser can do it.
            with connect(url, name="migrate-scratch-public") as connection, suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(self.role)))

    def _pin(self, database: str) -> str:
        """Return the administrator's URL of a scratch database, with a search_path that the database's owner cannot change."""
        return make_conninfo(self.url, dbname=database, options=self._add_option(_PINNED))

    def _add_option(self, option: str) -> str:
        return f"{resolve(self.url).options.get('options', '')} {option}".strip()

    def _note_stand_ins(self, database: str) -> None:
        """Remember the stand-ins in a database; a migration may have closed it to connections."""
        if self._may_have_stand_ins and self._stand_ins != set(embedded.STAND_IN_NAMES):
            with suppress(RunnerError, psycopg.Error), connect(self._pin(database), name="migrate-stand-ins") as connection:
                self._stand_ins |= find_stand_ins(connection)

    def _drop_roles(self) -> None:
        roles.drop_marked(self.administer())

    @contextmanager
    def explain(self) -> Iterator[None]:
        """Raise ScratchError for an error of the server."""
        try:
            yield
        except psycopg.Error as error:
            raise ScratchError(
                f"error on the scratch server: {redact(describe_text(error), self.url)}",
                hint=_HINTS.get(error.sqlstate or "", f"Check {describe_database(self.url)}, or set another {SETTING}."),
                sqlstate=error.sqlstate or "",
            ) from error


def is_ended(connection: psycopg.Connection) -> bool:
    """Return True if a session is gone, also if the server ended it while it was idle."""
    try:
        # The first call reads the server's last message, the second one the end of the connection.
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return is_lost(connection)


def _close(session: list[psycopg.Connection], logins: list[ScratchLogin]) -> None:
    for connection in session:
        for login in logins:
            with suppress(psycopg.Error):
                release(connection, login)
        connection.close()
