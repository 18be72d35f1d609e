"""The fixtures of the stand-in, for the tests of the tool and those of the kit."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kit.databases import Database, fresh_database
from tests.kit.fly.boot import PYTHON, SSHD, find_sshd
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.servers import Server

SERVER = SSHD if find_sshd() and os.geteuid() == 0 else PYTHON
"""The SSH server of this run: OpenSSH where it is installed and accepts root, else paramiko's."""


@pytest.fixture
def fly(tmp_path: Path) -> Iterator[FlyWorld]:
    """Yield a stand-in for Fly without apps."""
    with make_world(tmp_path / "fly", SERVER) as world:
        yield world


@pytest.fixture
def new_database(embedded: Server) -> Iterator[Callable[[], Database]]:
    """Yield a function that returns a new empty database."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(embedded))
