"""An operator: a user of a project and its database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project, make_project
from tests.kit.roles import MakeRole, make_roles
from tests.runner.operating import Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator of an empty project, with an empty database on the embedded server."""
    return Operator(project, database)


@pytest.fixture
def any_operator(tmp_path: Path, any_database: Database) -> Operator:
    """Return an operator of an empty project, with an empty database on each of the servers in turn."""
    return Operator(make_project(tmp_path / "project", any_database.url), any_database)


@pytest.fixture
def make_role(request: pytest.FixtureRequest) -> Iterator[MakeRole]:
    """Yield a function that creates a role on the server of the test's database."""
    name = "any_database" if "any_database" in request.fixturenames else "database"
    with make_roles(request.getfixturevalue(name)) as make:
        yield make
