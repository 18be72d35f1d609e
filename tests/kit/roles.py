"""Roles of a server for one test, and its database as they use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from psycopg import sql

from tests.kit.databases import Database


@dataclass
class RoleDatabase(Database):
    """A database, for a role that may log in."""

    role: str = ""

    @property
    def url(self) -> str:
        """Return the URL of the database for the role."""
        return self.server.url(self.name).replace("postgres@", f"{quote(self.role, safe='')}@", 1)


def use_as(database: Database, role: str) -> RoleDatabase:
    """Return a database as a role uses it."""
    return RoleDatabase(database.server, database.name, role=role)


class MakeRole(Protocol):
    """A function that creates a role and returns its name, which has to be quoted."""

    def __call__(self, name: str, options: str = "LOGIN", *, creates: bool = False) -> str:
        """Create a role; if it `creates`, it may create objects in the schema public."""


@contextmanager
def make_roles(database: Database) -> Iterator[MakeRole]:
    """Yield a function that creates roles, which are dropped afterwards with all that they own in the database.

    The names contain that of the database, because roles belong to the server.
    """
    made: list[sql.Identifier] = []

    def make(name: str, options: str = "LOGIN", *, creates: bool = False) -> str:
        role = f"{name} {database.name}"
        made.append(sql.Identifier(role))
        database.server.administer(sql.SQL("CREATE ROLE {} ").format(made[-1]) + sql.SQL(options).format())
        if creates:
            database.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(made[-1]).as_string())
        return role

    try:
        yield make
    finally:
        for role in made:
            database.execute(sql.SQL("REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0} CASCADE").format(role).as_string())
        for role in made:
            database.server.administer(sql.SQL("DROP ROLE {}").format(role))


def grant_by_default(database: Database, owner: str, *roles: str, schema: str = "") -> None:
    """Grant roles all privileges on every table and sequence that a role creates from now on, in a schema or anywhere."""
    place = sql.SQL("IN SCHEMA {} ").format(sql.Identifier(schema)) if schema else sql.SQL("")
    names = [sql.SQL("PUBLIC") if role == "PUBLIC" else sql.Identifier(role) for role in roles]
    for kind in ("TABLES", "SEQUENCES"):
        text = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} {}GRANT ALL ON " + kind + " TO {}")
        database.execute(text.format(sql.Identifier(owner), place, sql.SQL(", ").join(names)).as_string())
