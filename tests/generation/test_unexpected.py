"""Lost rows are only accepted in the tables that the known losses are about."""

import pytest

from tasks.catalog import Catalog, Key
from tasks.generation.losses import SchemaLoss
from tasks.generation.proof.proving import UnprovedError
from tasks.generation.proof.unexpected import refuse_unexpected
from tasks.rehearsal.rows import LostRows
from tasks.rehearsal.sql_diff.answers import Renaming
from tasks.rehearsal.sql_diff.renames import LABEL, ObjectRename

pytestmark = pytest.mark.only_newest

BEFORE = Catalog(
    {
        Key("table", "public.a"): "",
        Key("table", "public.ab"): "",
        Key("column", "a", "public.a"): "integer",
        Key("column", "mood", "public.ab"): "public.mood[]",
        Key("type", "public.mood"): "AS ENUM ('a', 'b')",
        Key("table", "public.parts"): "PARTITION BY RANGE (id)",
        Key("table", "public.part_1"): "PARTITION OF public.parts FOR VALUES FROM (1) TO (2)",
    }
)
LOSSES = {
    "a column of the table": (Key("column", "a", "public.a"), "public.a"),
    "a label of the type of a column": (Key(LABEL, "'b'", "public.mood"), "public.ab"),
    "a partition of the table": (Key("table", "public.part_1"), "public.parts"),
    "the parent of the partition": (Key("column", "id", "public.parts"), "public.part_1"),
    "the table under its new name": (Key("column", "a", "public.a"), "public.old"),
}
RENAMING = Renaming((ObjectRename(Key("table", "public.old"), Key("table", "public.a")),), BEFORE)


@pytest.mark.parametrize("name", LOSSES)
def test_rows_may_be_lost_where_a_known_loss_is(name: str) -> None:
    key, table = LOSSES[name]
    refuse_unexpected([LostRows(table, "")], [SchemaLoss(key, "")], RENAMING)


def test_rows_of_a_table_with_a_similar_name_must_not_be_lost() -> None:
    losses = [SchemaLoss(Key("column", "a", "public.a"), "")]
    with pytest.raises(UnprovedError, match=r"- table public\.ab: all 3 rows"):
        refuse_unexpected([LostRows("public.ab", "- table public.ab: all 3 rows")], losses, RENAMING)
