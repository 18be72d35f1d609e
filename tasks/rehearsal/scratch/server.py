"""The scratch server, and the scratch databases that are created and dropped on it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.postgres.server import embedded
from tasks.postgres.server.cluster import ServerError
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch import cache, owners, roles
from tasks.rehearsal.scratch.addresses import is_same_database
from tasks.runner.database.addresses import describe_database
from tasks.runner.database.session import connect, is_pooled
from tasks.runner.errors import ConnectError, RefusedError
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.server_texts import describe_text
from tasks.runner.redaction import redact
from tasks.runner.urls import find_fault

_SETTING = "SCRATCH_DATABASE_URL"
_HINTS = {
    "42501": "The role must be allowed to create databases: ALTER ROLE … CREATEDB;",
    "53100": "The scratch server's disk is full. Free disk space on it.",
    "53300": "Too many sessions on the scratch server. Close some, or increase max_connections.",
}
_MAJOR = 10000


@dataclass(frozen=True, slots=True)
class ScratchDatabase:
    """A scratch database; `without` are the extensions that are excluded on it."""

    url: str
    name: str
    without: tuple[str, ...] = ()


class ScratchServer:
    """A server for scratch databases; its session shows other processes that this one is alive.

    `url` is that of the server's administrative database, in which nothing is changed. Close it after use, or use it in a `with`.
    """

    def __init__(
        self,
        url: str,
        *,
        without: Sequence[str] = (),
        embedded: bool = False,
        limits: cache.CacheLimits | None = None,
    ) -> None:
        self.url = url
        self.without = tuple(without)
        self.embedded = embedded
        self.limits = limits or cache.CacheLimits()
        self._owner = owners.Owner()
        self._numbers = itertools.count(1)
        self._session: list[psycopg.Connection] = []
        self.close = weakref.finalize(self, _close, self._session)
        self.version = self.administer().info.server_version
        self.sweep()

    def __enter__(self) -> ScratchServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def make(self, template: str = "") -> Iterator[ScratchDatabase]:
        """Create a scratch database, empty or as a copy, yield it, and drop it at the end; raises ScratchError."""
        name = self._owner.name_database(next(self._numbers))
        try:
            with self._explain():
                self._create(name, template)
            yield self.name(name)
        finally:
            with self._explain():
                owners.drop_database(self.administer(), name)
                self._drop_roles()

    def name(self, database: str) -> ScratchDatabase:
        """Return a database of this server by its name."""
        return ScratchDatabase(make_conninfo(self.url, dbname=database), database, self.without)

    def cache_state(self, database: ScratchDatabase, name: str) -> None:
        """Cache a copy of a scratch database, in which no session is open, under the name of its state."""
        with self._explain():
            connection = self.administer()
            if name in cache.list_cached(connection):
                return
            draft = self._owner.name_database(next(self._numbers))
            try:
                self._create(draft, database.name)
                cache.store(connection, draft, name)
            finally:
                owners.drop_database(self.administer(), draft)
            cache.evict(connection, self.limits)

    def drop_states(self) -> None:
        """Drop all cached states on the server, and the roles that rehearsals created."""
        with self._explain():
            cache.evict(self.administer(), cache.CacheLimits(0, 0))
            self._drop_roles()

    def sweep(self) -> None:
        """Drop the scratch databases of dead processes."""
        with self._explain():
            owners.sweep(self.administer())
            self._drop_roles()

    def administer(self) -> psycopg.Connection:
        """Return the session on the administrative database that shows that this process is alive; reopen it if it was lost."""
        if not self._session or is_lost(self._session[0]):
            self._session[:] = [self._open()]
        return self._session[0]

    def _open(self) -> psycopg.Connection:
        try:
            connection = connect(self.url, name=f"migrate-scratch {self._owner.token:016x}")
        except ConnectError as error:
            hint = error.hint.replace("DATABASE_URL", _SETTING)
            raise ScratchError(f"cannot use the scratch server: {error.message}", hint=hint, sqlstate=error.sqlstate) from error
        if is_pooled(connection):
            connection.close()
            raise ScratchError(
                f"{describe_database(self.url)} is a connection pooler; the scratch server needs direct connections",
                hint=f"Set {_SETTING} to a direct connection to the server.",
            )
        self._owner.occupy(connection)
        return connection

    def _create(self, name: str, template: str) -> None:
        query = "CREATE DATABASE {} TEMPLATE {}" + ("" if template else " ENCODING 'UTF8'")
        self.administer().execute(sql.SQL(query).format(sql.Identifier(name), sql.Identifier(template or "template0")))

    def _drop_roles(self) -> None:
        connection = self.administer()
        if not owners.list_scratch(connection) and not cache.list_cached(connection):
            roles.drop_marked(connection)

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise ScratchError(
                f"error on the scratch server: {redact(describe_text(error), self.url)}",
                hint=_HINTS.get(error.sqlstate or "", f"Check {describe_database(self.url)}, or set another {_SETTING}."),
                sqlstate=error.sqlstate or "",
            ) from error


def open_server(
    settings_url: str, *, embedded_directory: Path, target_url: str = "", without: Sequence[str] = ()
) -> ScratchServer:
    """Open the scratch server of SCRATCH_DATABASE_URL if it is set; else start and open the embedded one.

    Raises RefusedError if its database is the target's, and ScratchError if it cannot be opened.
    """
    url = settings_url or _start_embedded(embedded_directory)
    if target_url and not find_fault(url) and not find_fault(target_url) and is_same_database(url, target_url):
        raise RefusedError(
            f"{_SETTING} is the target database itself: {describe_database(url)}",
            hint=f"Set {_SETTING} to another database, preferably on a server without other data, or leave it empty.",
            state="Nothing was changed.",
        )
    return ScratchServer(url, without=without, embedded=not settings_url)


def check_version(server: ScratchServer, target_version: int) -> None:
    """Raise ScratchError if the scratch server's major version is older than the target's, given as server_version."""
    own, wanted = server.version // _MAJOR, target_version // _MAJOR
    if own >= wanted:
        return
    raise ScratchError(
        f"the scratch server (PostgreSQL {own}) is older than the target (PostgreSQL {wanted}): the results may differ",
        hint=f"Set {_SETTING} to a server of version {wanted} or newer.",
    )


def _start_embedded(directory: Path) -> str:
    try:
        embedded.start(directory)
        return embedded.find_server(directory).url("postgres")
    except ServerError as error:
        hint = f"{error.hint}\n" if error.hint else ""
        raise ScratchError(
            f"cannot use the scratch server: {error.message}", hint=f"{hint}Or set {_SETTING} to another server."
        ) from error


def _close(session: list[psycopg.Connection]) -> None:
    for connection in session:
        connection.close()
