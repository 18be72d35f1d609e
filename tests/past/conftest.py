"""Somebody who works on a project that had a past."""

from pathlib import Path

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.past.adopting import Adopter
from tests.past.repositories import TestRepository, isolate_git, make_repository
from tests.rehearsal.conftest import running as running
from tests.rehearsal.conftest import scratch as scratch
from tests.runner.operating import Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Give an operator of an empty project, with an empty database on the embedded server."""
    return Operator(project, database)


@pytest.fixture
def adopter(operator: Operator, scratch: ScratchServer) -> Adopter:
    """Give somebody who adopts the operator's database."""
    return Adopter(operator, scratch)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestRepository:
    """Give an empty git repository."""
    isolate_git(monkeypatch, tmp_path)
    return make_repository(tmp_path / "repository")
