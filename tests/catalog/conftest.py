"""Fixtures for schemas on two servers at once, and the roles that they grant to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import embedded as embedded_server
from tests.kit.databases import Database, fresh_database
from tests.kit.servers import Server, find_machine_programs

RICH = (Path(__file__).parent / "rich.sql").read_text(encoding="utf-8")
"""A schema with every class of objects."""

READER, OTHER = "catalog_reader", "catalog_other"


def make_role(database: Database, role: str) -> None:
    """Create a role that may log in, unless it exists."""
    try:
        database.execute(f"CREATE ROLE {role} LOGIN")
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        assert database.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", role) == [(True,)]


@pytest.fixture
def roles(any_database: Database) -> None:
    """Create the roles on the server of `any_database`."""
    make_role(any_database, READER)
    make_role(any_database, OTHER)


@pytest.fixture
def pair(servers: Callable[[Path], Server]) -> Iterator[tuple[Database, Database]]:
    """Return an empty database on the embedded server, and one on the machine's own."""
    programs = find_machine_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL on this machine in addition to the embedded one")
    with fresh_database(servers(embedded_server.find_programs())) as new, fresh_database(servers(programs)) as old:
        for database in (new, old):
            make_role(database, READER)
        yield new, old
