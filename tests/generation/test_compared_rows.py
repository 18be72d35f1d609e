"""Which tables are compared in the proof of a generated migration: all that keep their own rows."""

import pytest

from tasks.generation.proof.kept_rows import find_changed
from tasks.rehearsal.rows.contents import Contents
from tests.kit.databases import Database, fresh_database
from tests.rehearsal.sql_diff.exact import make, read
from tests.rehearsal.sql_diff.test_kept_rows import PARTED, PLAIN

pytestmark = pytest.mark.newest


@pytest.mark.parametrize(("old", "new"), [(PLAIN, PARTED), (PARTED, PLAIN)], ids=["joins", "leaves"])
def test_a_table_that_joins_or_leaves_one_that_is_copied_is_compared(database: Database, old: str, new: str) -> None:
    make(database, old)
    with fresh_database(database.server) as another:
        make(another, new)
        wanted = read(another)
    rows, none = Contents(1, {}), Contents(0, {})
    schemas = read(database), wanted
    assert find_changed({"public.u": rows}, {"public.u": none}, *schemas, ()) == ("public.u", "public.u had 1 rows, and has 0")
    # The rows of the other one are those of its partitions, too.
    assert find_changed({"public.t": rows}, {"public.t": none}, *schemas, ()) is None
