"""Fixtures for databases without a ledger."""

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.adopt.adopting import Adopter
from tests.legacy.conftest import operator as operator
from tests.legacy.conftest import repository as repository
from tests.legacy.conftest import running as running
from tests.legacy.conftest import scratch as scratch
from tests.runner.conftest import make_role as make_role
from tests.runner.operating import Operator


@pytest.fixture
def adopter(operator: Operator, scratch: ScratchServer) -> Adopter:
    """Return a user who adopts the operator's database."""
    return Adopter(operator, scratch)
