"""An operator: a user of a project and its database."""

from pathlib import Path

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project, make_project
from tests.runner.operating import Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator of an empty project, with an empty database on the embedded server."""
    return Operator(project, database)


@pytest.fixture
def any_operator(tmp_path: Path, any_database: Database) -> Operator:
    """Return an operator of an empty project, with an empty database on each of the servers in turn."""
    return Operator(make_project(tmp_path / "project", any_database.url), any_database)
