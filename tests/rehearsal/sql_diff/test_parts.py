"""Pairs of schemas with partitions, inheritance and tables without columns, both ways."""

import pytest

from tests.kit.databases import Database
from tests.rehearsal.sql_diff.exact import SchemaPair, check
from tests.rehearsal.sql_diff.parts import EXAMPLES

pytestmark = pytest.mark.newest


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_pair_has_its_outcome(database: Database, example: SchemaPair) -> None:
    check(example, database)
