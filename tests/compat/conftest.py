"""Fixtures: a scratch server, and servers that collect the queries that run on them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.postgres.server import control
from tasks.postgres.server.cluster import Cluster
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.databases import Database, fresh_database
from tests.kit.fly.fixtures import fly, new_database
from tests.kit.own_servers import OwnServer, remove_server
from tests.kit.servers import SMALL_CLUSTER_OPTIONS, Server, find_programs

__all__ = ["fly", "new_database"]

MAJORS = sorted({max(find_programs()), min(find_programs())}, reverse=True)


@pytest.fixture(scope="session")
def scratch(embedded: Server) -> Iterator[ScratchServer]:
    """Yield the shared server as a scratch server."""
    with ScratchServer(embedded.url()) as server:
        yield server


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"PostgreSQL {major}")
def collecting_server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """Yield a server with pg_stat_statements: of the newest and of the oldest version that are present."""
    # The path of its socket must be short.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    server = OwnServer(Cluster(folder / "data", find_programs()[request.param]))
    control.create(server.cluster, SMALL_CLUSTER_OPTIONS)
    server.start(shared_preload_libraries="pg_stat_statements")
    yield server
    remove_server(server)
    shutil.rmtree(folder)


@pytest.fixture
def collecting(collecting_server: OwnServer) -> Iterator[Database]:
    """Yield a database whose queries are collected, with the extension in a schema of its own."""
    with fresh_database(collecting_server) as database:
        database.execute("CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats")
        database.execute("SELECT stats.pg_stat_statements_reset()")
        yield database
