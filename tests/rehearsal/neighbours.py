"""Roles that share a scratch server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.kit.servers import Server

_OWNED = "SELECT datname::text FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE r.rolname = %s"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A role of a server that may log in."""

    server: Server
    name: str

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database for this role."""
        return self.server.url(database).replace("postgres@", f"{self.name}@")

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one as this role."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def list_databases(self) -> set[str]:
        """Return the databases that the role owns."""
        with psycopg.connect(self.server.url()) as connection:
            return {row[0] for row in connection.execute(_OWNED, [self.name])}


@contextmanager
def add_neighbour(server: Server, name: str, attributes: str = "CREATEDB") -> Iterator[Neighbour]:
    """Create a role, yield it, and drop it with its databases."""
    role = sql.Identifier(name)
    server.administer(sql.SQL("CREATE ROLE {} LOGIN " + attributes).format(role))
    neighbour = Neighbour(server, name)
    try:
        yield neighbour
    finally:
        for database in neighbour.list_databases():
            server.administer(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(database)))
            server.drop(database)
        server.administer(sql.SQL("DROP OWNED BY {}").format(role))
        server.administer(sql.SQL("DROP ROLE {}").format(role))
