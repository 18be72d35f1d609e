"""Fixtures for projects of Alembic."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.alembic_import.projects import AlembicFolder
from tests.kit.servers import Server
from tests.runner.conftest import operator as operator


@pytest.fixture
def alembic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlembicFolder:
    """Return a project of Alembic in the current folder, beside the folder of migrations."""
    root = tmp_path / "project"
    root.mkdir(exist_ok=True)
    monkeypatch.chdir(root)
    return AlembicFolder(root).set_up()


@pytest.fixture
def scratch(embedded: Server) -> Iterator[ScratchServer]:
    """Yield the embedded server as a scratch server."""
    with ScratchServer(embedded.url()) as server:
        yield server
