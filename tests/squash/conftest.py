"""Fixtures for squashing a history."""

from tests.rehearsal.conftest import running as running
from tests.rehearsal.conftest import scratch as scratch
from tests.runner.conftest import operator as operator
