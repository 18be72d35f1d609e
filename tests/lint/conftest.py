"""The scratch server of the rehearsals."""

from tests.rehearsal.conftest import running as running
from tests.rehearsal.conftest import scratch as scratch
