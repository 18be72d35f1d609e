"""Servers and accounts that refuse."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from tasks.postgres.server.cluster import Cluster
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer, copy_cluster, remove_server
from tests.kit.servers import Server, read_major_version

KNOWS_IS_JSON = 16


@pytest.fixture
def older_database(older_server: Server) -> Iterator[Database]:
    """Yield an empty database on a server that supports less SQL than the parser."""
    if read_major_version(older_server.cluster.programs) >= KNOWS_IS_JSON:
        pytest.skip("PostgreSQL 16 brought IS JSON")
    with fresh_database(older_server) as database:
        yield database


@pytest.fixture(scope="module")
def guarded_server(embedded: Server, template: Cluster) -> Iterator[OwnServer]:
    """Yield a server that requires a password from everyone but the superuser; for tests that do not change it."""
    home = Path(tempfile.mkdtemp(dir=embedded.cluster.data.parents[1]))
    home.chmod(0o711)
    server = copy_cluster(template, home)
    server.start(superuser_reserved_connections="0", max_connections="20")
    server.allow("local all postgres trust", "local all all scram-sha-256")
    yield server
    remove_server(server)


@pytest.fixture
def guarded_database(guarded_server: OwnServer) -> Iterator[Database]:
    """Yield an empty database on the guarded server."""
    with fresh_database(guarded_server) as database:
        yield database


@pytest.fixture
def make_role(guarded_database: Database) -> Iterator[Callable[..., str]]:
    """Yield a function that creates a role with a password and options, and returns its name."""
    made: list[sql.Identifier] = []

    def make(password: str, options: str = "LOGIN") -> str:
        name = f"{guarded_database.name}_role{len(made)}"
        made.append(sql.Identifier(name))
        text = f"CREATE ROLE {{}} {options} PASSWORD {{}}"
        guarded_database.server.administer(sql.SQL(text).format(made[-1], sql.Literal(password)))
        return name

    yield make
    for role in made:
        guarded_database.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role).as_string())
