"""A scratch server for each module: its tests share the cached states of their setups."""

from collections.abc import Iterator

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.own_servers import OwnServer
from tests.rehearsal.conftest import running as running
from tests.rehearsal.scratching import list_databases


@pytest.fixture(scope="module")
def scratch(running: OwnServer) -> Iterator[ScratchServer]:
    """Yield a scratch server without cached states at first; fail if a test leaves a scratch database behind."""
    with ScratchServer(running.url()) as server:
        server.drop_states()
        yield server
        server.drop_states()
        assert list_databases(running, "scratch") == set()
