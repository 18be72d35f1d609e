"""A scratch server of its own for each test worker, because cached states and abandoned databases are shared."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.postgres.server.cluster import Cluster
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.forkserver import Running, start_process
from tests.kit.own_servers import OwnServer, copy_cluster, remove_server
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import wait_until
from tests.rehearsal.scratching import list_databases

Start = Callable[..., tuple[Running, str]]


@pytest.fixture(scope="session")
def running(template: Cluster) -> Iterator[OwnServer]:
    """Yield a running server that no other worker uses."""
    folder = Path(tempfile.mkdtemp(dir=template.data.parent.parent))
    folder.chmod(0o711)
    server = copy_cluster(template, folder / "server")
    server.start()
    yield server
    remove_server(server)
    shutil.rmtree(folder)


@pytest.fixture
def scratch(running: OwnServer) -> Iterator[ScratchServer]:
    """Yield a scratch server without cached states; fail the test that leaves a scratch database behind."""
    with ScratchServer(running.url()) as server:
        server.drop_states()
        yield server
        server.drop_states()
        assert list_databases(running, "scratch") == set()


@pytest.fixture
def start_owner(running: OwnServer) -> Iterator[Start]:
    """Yield a function that starts a process which owns a scratch database, and returns the process and the database's name.

    At the end, the processes and their databases are gone.
    """
    started: list[Running] = []
    names: set[str] = set()

    def start(*tables: str) -> tuple[Running, str]:
        command = [sys.executable, "-m", "tests.rehearsal.owning", running.url(), *tables]
        process = start_process(command, cwd=REPOSITORY, environment={"LC_ALL": "C.UTF-8"})
        started.append(process)
        assert process.stdout is not None
        names.add(name := process.stdout.readline().strip())
        return process, name

    yield start
    for process in started:
        process.kill()
        process.communicate()

    def are_swept() -> bool:
        # The server ends the sessions of killed processes a moment later; until then, their databases are not swept.
        with ScratchServer(running.url()):
            return names.isdisjoint(list_databases(running, "scratch"))

    if not names.isdisjoint(list_databases(running, "scratch")):
        wait_until(are_swept, what="the sweep of the databases of killed processes")
