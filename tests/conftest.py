"""The fixtures that all tests share; what they are made of is in tests/kit."""

import gc
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tasks.postgres.server import embedded as embedded_server
from tasks.postgres.server.cluster import Cluster
from tests.kit.databases import Database, fresh_database
from tests.kit.disks import mount_small_disk
from tests.kit.home import choose_files_place, make_home, remove_home
from tests.kit.own_servers import OwnServer, copy_cluster, remove_server
from tests.kit.poolers import Pooler, start_pgbouncer
from tests.kit.projects import Project, make_project
from tests.kit.servers import Server, find_machine_programs, read_major_version, start_server

_home = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the shared servers, or learn it from the process that distributes the tests."""
    # What a script starts in the background is born deaf to an interrupt, and so would be all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    config.stash[_home] = home = Path(given["home"]) if given else make_home()
    config.option.basetemp = config.option.basetemp or choose_files_place(home)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two tests more than there are processors, since some wait; each worker reads all the tests, so that more cost more."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker process where the shared servers are."""
    node.workerinput["home"] = str(node.config.stash[_home])


def pytest_collection_finish() -> None:
    """Spare the collector of garbage the thousands of tests, which stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared servers when all workers are done."""
    if not hasattr(config, "workerinput"):
        remove_home(config.stash[_home])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for `any_database` on each server that is there."""
    if "any_database" in metafunc.fixturenames:
        programs = [embedded_server.find_programs(), find_machine_programs()]
        present = {f"pg{read_major_version(folder)}": folder for folder in programs if folder is not None}
        metafunc.parametrize("any_database", present.values(), ids=present.keys(), indirect=True)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Callable[[Path], Server]]:
    """Give a function that starts a server with the programs in a folder, or returns the one that runs already."""
    started: dict[Path, Server] = {}

    def start(programs: Path) -> Server:
        if programs not in started:
            home = pytestconfig.stash[_home] / f"pg{read_major_version(programs)}"
            started[programs] = start_server(home, programs)
        return started[programs]

    yield start
    for server in started.values():
        server.close()


@pytest.fixture(scope="session")
def embedded(servers: Callable[[Path], Server]) -> Server:
    """Give the embedded server that all workers share."""
    return servers(embedded_server.find_programs())


@pytest.fixture
def database(embedded: Server) -> Iterator[Database]:
    """Give an empty database on the embedded server."""
    with fresh_database(embedded) as database:
        yield database


@pytest.fixture
def any_database(request: pytest.FixtureRequest, servers: Callable[[Path], Server]) -> Iterator[Database]:
    """Give an empty database, on each of the servers in turn: the embedded one and the machine's own."""
    with fresh_database(servers(request.param)) as database:
        yield database


@pytest.fixture
def short_path(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Give a folder for servers and sockets, which need a short path that other accounts may pass through."""
    folder = Path(tempfile.mkdtemp(dir=pytestconfig.stash[_home]))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config) -> Cluster:
    """Give a cluster of the embedded PostgreSQL that serves to be copied, and is made by the first copy."""
    return Cluster(pytestconfig.stash[_home] / "template" / "data", embedded_server.find_programs())


@pytest.fixture
def new_server(template: Cluster, short_path: Path) -> Iterator[Callable[..., OwnServer]]:
    """Give a function that makes a server for this test alone, not yet started, on a small disk if it is told so."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def make(*, disk_megabytes: int | None = None) -> OwnServer:
            folder = short_path / f"server{next(numbers)}"
            if disk_megabytes is not None:
                stack.enter_context(mount_small_disk(folder, disk_megabytes))
            server = copy_cluster(template, folder)
            stack.callback(remove_server, server)
            return server

        yield make


@pytest.fixture
def own_server(new_server: Callable[..., OwnServer]) -> OwnServer:
    """Give a running server for this test alone."""
    server = new_server()
    server.start()
    return server


@pytest.fixture
def pgbouncer(request: pytest.FixtureRequest, database: Database, short_path: Path) -> Iterator[Pooler]:
    """Give a PgBouncer in front of `database`, with 20 backends or as many as an indirect parameter says."""
    with start_pgbouncer(short_path / "pgbouncer", database, pool_size=getattr(request, "param", 20)) as pooler:
        yield pooler


@pytest.fixture
def project(tmp_path: Path, database: Database) -> Iterator[Project]:
    """Give an empty project folder for `database`."""
    project = make_project(tmp_path / "project", database.url)
    yield project
    project.end_processes()
