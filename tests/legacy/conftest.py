"""Fixtures for folders of old files."""

from pathlib import Path

import pytest

from tests.kit.repositories import TestRepository, isolate_git, make_repository
from tests.rehearsal.conftest import running as running
from tests.rehearsal.conftest import scratch as scratch
from tests.runner.conftest import operator as operator


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestRepository:
    """Return an empty git repository."""
    isolate_git(monkeypatch, tmp_path)
    return make_repository(tmp_path / "repository")
