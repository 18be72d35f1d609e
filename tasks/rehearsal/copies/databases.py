"""Copies of templates: the next one is made while a test runs, and used ones are dropped behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import psycopg
from psycopg import sql

from tasks.rehearsal.copies.templates import TemplateFiles, ensure_template
from tasks.rehearsal.scratch import owners
from tasks.rehearsal.scratch.server import ScratchServer

T = TypeVar("T")
_DROPS_AT_ONCE = 8


class DatabaseCopies:
    """The databases that one process gets from a scratch server; close it after use.

    A process that is killed leaves its copies, which the next one that opens the server drops.
    """

    def __init__(self, server: ScratchServer) -> None:
        self._server = server
        self._templates: dict[TemplateFiles, str] = {}
        self._ahead: dict[TemplateFiles, Future[str]] = {}
        self._drops: deque[Future[None]] = deque()
        self._creator = _Worker(server)
        self._dropper = _Worker(server)

    def take(self, files: TemplateFiles) -> str:
        """Return the name of a new database with the state of these files, which may have been made ahead.

        The first call makes the template. Raises RunnerError if that fails, or if the server refuses the copy.
        """
        with self._server.explain():
            if files not in self._templates:
                self._templates[files] = ensure_template(self._server, files)
            name = self._take_copy(files)
            self._ahead[files] = self._order(files)
            return name

    def drop(self, name: str) -> None:
        """Drop a database with the sessions in it, later; wait if many are to be dropped."""
        self._drops.append(self._dropper.submit(lambda connection: owners.drop_database(connection, name)))
        while len(self._drops) > _DROPS_AT_ONCE or (self._drops and self._drops[0].done()):
            # The next process that opens the server drops what is left.
            with suppress(psycopg.Error):
                self._drops.popleft().result()

    def close(self) -> None:
        """Drop all databases that are left, and close the sessions."""
        for ahead in self._ahead.values():
            with suppress(psycopg.Error):
                self.drop(ahead.result())
        self._creator.close()
        self._dropper.close()

    def _take_copy(self, files: TemplateFiles) -> str:
        """Return the copy that was made ahead, or a new one; make the template again if it was dropped meanwhile."""
        ahead = self._ahead.pop(files, None) or self._order(files)
        try:
            return ahead.result()
        except psycopg.errors.InvalidCatalogName:
            self._templates[files] = ensure_template(self._server, files)
            return self._order(files).result()

    def _order(self, files: TemplateFiles) -> Future[str]:
        """Have a copy made in the background."""
        name, template = self._server.name_database(), self._templates[files]

        def create(connection: psycopg.Connection) -> str:
            query = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(query.format(sql.Identifier(name), sql.Identifier(template)))
            return name

        return self._creator.submit(create)


class _Worker:
    """A thread with a session of its own on a scratch server, which is opened again if it was ended."""

    def __init__(self, server: ScratchServer) -> None:
        self._server = server
        self._connection = server.open_session()
        self._thread = ThreadPoolExecutor(1)

    def submit(self, action: Callable[[psycopg.Connection], T]) -> Future[T]:
        """Have something done with the session, after what was submitted before."""
        return self._thread.submit(self._run, action)

    def close(self) -> None:
        """Wait for what was submitted, and close the session."""
        self._thread.shutdown()
        self._connection.close()

    def _run(self, action: Callable[[psycopg.Connection], T]) -> T:
        try:
            return action(self._connection)
        except psycopg.OperationalError:
            if not self._connection.closed:
                raise
            self._connection = self._server.open_session()
            return action(self._connection)
