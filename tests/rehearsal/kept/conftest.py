"""A scratch server for each module, as the tests of the rules have."""

from tests.lint.conftest import running as running
from tests.lint.conftest import scratch as scratch
