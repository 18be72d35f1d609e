"""Names as SQL text, against the servers' own quote_ident()."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import keywords
from pglast.parser import parse_sql_json

from tasks.postgres.quoting import KEYWORDS, quote_identifier, quote_qualified
from tests.kit.databases import Database

ODD_NAMES = [
    *("", " ", "a b", "A", "a$", "$a", "1a", "_a", "a1_", "ä", "a-b", "a.b", 'a"b', '"', '""', "a'b", "a\\b", "a\nb", "a\tb"),
    *("U&", "e'", "--", "/*", "中", "\u00a0", "%s", "{}", "a" * 63),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_quoted_as_the_server_does(any_database: Database, name: str) -> None:
    assert any_database.query("SELECT quote_ident(%s)", name) == [(quote_identifier(name),)]


def test_every_keyword_that_the_server_quotes_is_quoted(any_database: Database) -> None:
    rows = any_database.query("SELECT word, quote_ident(word), catcode::text FROM pg_get_keywords()")
    for word, quoted, category in rows:
        assert quote_identifier(word) in (quoted, f'"{word}"')
        assert (quoted != word) is (category != "U")
        assert word in KEYWORDS or quote_identifier(word) == word == quoted
    assert "user" in KEYWORDS


def test_no_more_keywords_are_quoted_than_the_newest_server_quotes() -> None:
    assert KEYWORDS == keywords.RESERVED_KEYWORDS | keywords.TYPE_FUNC_NAME_KEYWORDS | keywords.COL_NAME_KEYWORDS


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=5), min_size=1, max_size=2))
def test_a_quoted_name_is_read_as_the_name(parts: list[str]) -> None:
    tree = json.loads(parse_sql_json(f"DROP TABLE {quote_qualified(*parts)}"))
    names = tree["stmts"][0]["stmt"]["DropStmt"]["objects"][0]["List"]["items"]
    assert [name["String"]["sval"] for name in names] == parts


@pytest.mark.parametrize(
    ("parts", "quoted"),
    [
        (("public", "users"), "public.users"),
        (("", "users"), "users"),
        (("App", "user"), '"App"."user"'),
        (("a.b", 'c"d'), '"a.b"."c""d"'),
        (("", ""), ""),
    ],
)
def test_the_parts_of_a_name_are_quoted_one_by_one(parts: tuple[str, ...], quoted: str) -> None:
    assert quote_qualified(*parts) == quoted
