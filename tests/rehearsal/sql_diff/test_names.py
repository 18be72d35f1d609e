"""The names in definitions."""

import pytest

from tasks.rehearsal.sql_diff.names import cut_body, last_part, list_names, split_list, strip_arguments


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CHECK (a > 1)", {"CHECK", "a"}),
        ("public.t.id", {"public", "t", "id", "public.t", "public.t.id"}),
        ('public."T ""x".a::text', {"public", '"T ""x"', "a", 'public."T ""x"', 'public."T ""x".a', "text"}),
        ("nextval('public.t_seq'::regclass)", {"nextval", "public", "t_seq", "public.t_seq", "regclass"}),
        ("'only words'", set()),
        ("'it''s public.t'", {"public", "t", "public.t"}),
        ("E'a\\\\' || b", {"b"}),
        ("a . b", {"a", "b"}),
        ("1.5 * t.*", {"t"}),
    ],
)
def test_names_are_found_as_a_whole_and_in_parts(text: str, names: set[str]) -> None:
    assert list_names(text) == names


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, numeric(10,2) , 'b,c'", ["a", "numeric(10,2)", "'b,c'"]),
        ("\"a,b\", E'\\',', c", ['"a,b"', "E'\\','", "c"]),
    ],
)
def test_a_list_is_split_at_its_own_commas(text: str, items: list[str]) -> None:
    assert split_list(text) == items


def test_parts_of_a_name() -> None:
    assert strip_arguments('public."f g"(integer, text)') == 'public."f g"'
    assert last_part('public."a.b"') == '"a.b"'
    assert cut_body("CREATE FUNCTION f()\nAS $$SELECT 1$$") == "CREATE FUNCTION f()"
