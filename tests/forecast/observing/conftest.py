"""A scratch server for the tests of a module, which keeps its cached states meanwhile."""

from collections.abc import Iterator

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.servers import Server


@pytest.fixture(scope="module")
def scratch(embedded: Server) -> Iterator[ScratchServer]:
    """Yield a scratch server."""
    with ScratchServer(embedded.url("postgres")) as server:
        yield server
