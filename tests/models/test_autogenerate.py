"""docs/models.md shows what Alembic's autogenerate makes of the changes: a row for each, of which some are measured again."""

import pytest

from tests.docs.autogenerate_page import compose_row, measure, read_section
from tests.kit.databases import Database
from tests.models.zoo import CASES, GROUPS
from tests.models.zoo.case import ZooCase

pytestmark = pytest.mark.only_newest

_EACH = 16
"""One change of so many is measured again, because all of them take a minute."""
_REMEASURED = list(CASES.values())[::_EACH]


def test_the_page_has_a_row_for_each_change_in_order() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in read_section().splitlines() if line.startswith("| ")]
    expected = [title for cases in GROUPS.values() for title in ["change", *(case.title for case in cases)]]
    assert rows[-len(expected) :] == expected


@pytest.mark.parametrize("case", _REMEASURED, ids=[case.name for case in _REMEASURED])
def test_a_row_shows_what_is_measured(database: Database, case: ZooCase) -> None:
    assert compose_row(case, measure(database, case)) in read_section(), "python -m tests.docs.autogenerate_page"
