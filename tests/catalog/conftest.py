"""Fixtures for schemas on two servers at once, and the roles that they grant to."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.kit.databases import Database, fresh_database
from tests.kit.servers import Server

RICH = (Path(__file__).parent / "rich.sql").read_text(encoding="utf-8")
"""A schema with every class of objects."""

READER, OTHER = "catalog_reader", "catalog_other"
SPACE = "catalog_space"


def make_role(database: Database, role: str) -> None:
    """Create a role that may log in, unless it exists."""
    try:
        database.execute(f"CREATE ROLE {role} LOGIN")
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        assert database.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", role) == [(True,)]


def make_tablespace(database: Database) -> None:
    """Create a tablespace inside the data directory, unless it exists."""
    with database.connect(options="-c allow_in_place_tablespaces=on") as connection:
        try:
            connection.execute(f"CREATE TABLESPACE {SPACE} LOCATION ''")
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            assert database.query("SELECT FROM pg_tablespace WHERE spcname = %s", SPACE)


@pytest.fixture
def roles(any_database: Database) -> None:
    """Create the roles on the server of `any_database`."""
    make_role(any_database, READER)
    make_role(any_database, OTHER)


@pytest.fixture
def tablespace(any_database: Database) -> None:
    """Create the tablespace on the server of `any_database`."""
    make_tablespace(any_database)


@pytest.fixture
def pair(embedded: Server, older_server: Server) -> Iterator[tuple[Database, Database]]:
    """Return an empty database on the embedded server, and one on an older one."""
    with fresh_database(embedded) as new, fresh_database(older_server) as old:
        for database in (new, old):
            make_role(database, READER)
        yield new, old
