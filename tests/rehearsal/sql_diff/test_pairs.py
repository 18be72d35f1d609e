"""Pairs of schemas of all kinds other than partitions and inheritance, both ways."""

import re

import pytest
from psycopg.errors import FeatureNotSupported, UndefinedFile

from tests.catalog.conftest import OTHER, READER, make_role
from tests.kit.databases import Database, skip_before
from tests.rehearsal.sql_diff.exact import SchemaPair, check
from tests.rehearsal.sql_diff.pairs import EXAMPLES

pytestmark = pytest.mark.newest


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_pair_has_its_outcome(database: Database, example: SchemaPair) -> None:
    skip_before(example.since, database)
    for name in re.findall(r"CREATE EXTENSION (\w+)", f"{example.old} {example.change} {example.new}"):
        try:
            database.execute(f"CREATE EXTENSION {name}; DROP EXTENSION {name}")
        except (UndefinedFile, FeatureNotSupported):
            pytest.skip(f"the server has no extension {name}")
    make_role(database, READER)
    make_role(database, OTHER)
    check(example, database)
