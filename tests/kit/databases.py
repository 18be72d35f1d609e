"""A database for one test, made on a shared server."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import sql

from tests.kit.servers import Server, read_major_version

T = TypeVar("T")
_CHOOSES_STRATEGY_SINCE = 15
_numbers = itertools.count(1)


@dataclass
class Database:
    """A database, and one connection for the queries of the test."""

    server: Server
    name: str
    _connection: psycopg.Connection[Any] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Return the URL of the database."""
        return self.server.url(self.name)

    def connect(self, **settings: Any) -> psycopg.Connection[Any]:
        """Return a new connection, with autocommit by default, for use in a `with`."""
        return psycopg.connect(self.url, **{"autocommit": True, **settings})

    def ask(self, question: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Return the result of a function of the test's connection, which has cached the catalog."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return question(self._connection)

    def execute(self, text: str, *parameters: object) -> psycopg.Cursor[Any]:
        """Run SQL; several statements at once if there are no parameters."""
        return self.ask(lambda connection: connection.execute(text, parameters or None))

    def query(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.execute(text, *parameters).fetchall()

    def close(self) -> None:
        """Close the connection that `execute` and `query` use."""
        if self._connection is not None:
            self._connection.close()


def skip_before(major: int, database: Database) -> None:
    """Skip the test on servers before a major version."""
    if database.ask(lambda connection: connection.info.server_version) // 10000 < major:
        pytest.skip(f"PostgreSQL {major} and later have it")


def ask(url: str, question: str) -> object:
    """Return the single value of a query in the database at this URL."""
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def fresh_database(server: Server, template: str = "template1") -> Iterator[Database]:
    """Yield an empty database on the server, and drop it afterwards together with its sessions.

    It is a copy of the template, in which there must be no session.
    """
    name = f"test_{os.getpid()}_{next(_numbers)}"
    # It writes less to the WAL, and is the only strategy of version 14.
    strategy = "STRATEGY FILE_COPY" if read_major_version(server.cluster.programs) >= _CHOOSES_STRATEGY_SINCE else ""
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} " + strategy)
    server.administer(create.format(sql.Identifier(name), sql.Identifier(template)))
    database = Database(server, name)
    try:
        yield database
    finally:
        database.close()
        server.drop(name)
