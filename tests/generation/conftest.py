"""A scratch server for each module: its tests share the cached states of their setups."""

from tests.lint.conftest import running as running
from tests.lint.conftest import scratch as scratch
