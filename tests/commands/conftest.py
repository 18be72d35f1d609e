"""Fixtures of the tests of commands."""

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)
