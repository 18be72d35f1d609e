"""The comments of a generated file, whatever the names in them contain."""

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Key
from tasks.generation.heads import describe_order, read_description, write_head, write_irreversible
from tasks.runner.parsing.directives import Header, read_header
from tasks.runner.parsing.source_text import SqlText

FORGED = '"a\r\nmigrate: irreversible x\u2028migrate: after-deploy\nDROP TABLE users;"'
LONG = f'"{"a long name " * 9}migrate: no-transaction {"a long name " * 9}"'


def test_no_name_becomes_a_statement_or_a_directive() -> None:
    notes = [("It loses rows:", [f"drops table {name}" for name in (FORGED, LONG)])]
    text = write_head(f"Create {FORGED}", f"the schema file {FORGED}", notes)
    assert [line for line in text.splitlines() if not line.startswith("--")] == [""]
    assert read_header(SqlText("it.sql", text)) == Header()
    assert read_header(SqlText("it.sql", write_irreversible(FORGED))).irreversible == " ".join(FORGED.split())


@pytest.mark.parametrize(
    ("before", "reached", "wanted", "order"),
    [
        ("a, b", 'a, b, "x, y"', 'a, "x, y", b', 'new ones come last ("x, y")'),
        ("a, b, c", "b, c, x", "c, x, b", "it is b, c, x"),
        ("a, b", "a, b", "b, a", "it is a, b"),
        ("a, b", "b, a", "a, b", "it is b, a"),
        ("a", "a, d, g", "a, g, d", "it is a, d, g"),
    ],
)
def test_the_order_that_columns_get_is_described(before: str, reached: str, wanted: str, order: str) -> None:
    key = Key(COLUMN_ORDER, "public.t")
    assert describe_order(Change(key, reached, wanted), Catalog({key: before})) == f"public.t: {order}"


def test_a_long_note_is_folded_below_its_beginning() -> None:
    text = write_head("Change it", "a", [("It fails on rows that do not fit:", ["word " * 40])])
    assert max(map(len, text.splitlines())) <= 118
    assert text.count("\n--   word") == 1
    assert text.count("\n--     word") == 1


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("-- Description: Drop users_email_key\n\nSELECT 1;\n", "Drop users_email_key"),
        ("-- Another: x\nSELECT 1;\n", ""),
        ("", ""),
    ],
)
def test_the_description_of_a_file_is_read(text: str, description: str) -> None:
    assert read_description(text) == description
