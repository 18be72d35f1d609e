"""A difference as text and as JSON."""

import json

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, Key, compare, show_difference, write_difference

TABLE = {
    Key("table", "public.x"): "",
    Key("column", "id", "public.x"): "integer",
    Key("column", "name", "public.x"): "text",
    Key("index", "public.i", "public.x"): "CREATE INDEX i ON public.x USING btree (id)",
    Key("policy", "p", "public.x"): "FOR ALL",
    Key("row security", "public.x"): "ENABLE ROW LEVEL SECURITY",
    Key("comment", "table public.x"): "COMMENT ON TABLE public.x IS 'x'",
    Key(COLUMN_ORDER, "public.x"): "id, name",
}


def show(before: dict[Key, str], after: dict[Key, str]) -> list[str]:
    return list(show_difference(compare(Catalog(before), Catalog(after))))


@pytest.mark.parametrize(("sign", "before", "after"), [("+", {}, TABLE), ("-", TABLE, {})])
def test_parts_of_a_table_are_counted_in_its_line(sign: str, before: dict[Key, str], after: dict[Key, str]) -> None:
    assert show(before, after) == [f"{sign} table public.x (with 2 columns, comment, index, policy, row security)"]


@pytest.mark.parametrize("column", ["id", '"a.b"', '"a""b"'])
def test_the_sequence_of_a_column_is_counted_and_another_is_shown(column: str) -> None:
    sequence, other = Key("sequence", "public.x_id_seq"), Key("sequence", "public.free")
    table = TABLE | {sequence: f"AS integer CACHE 1 OWNED BY public.x.{column}", other: "AS integer CACHE 1"}
    parts = "(with 2 columns, comment, index, policy, row security, sequence)"
    assert show({}, table) == [f"+ {other}", "    + AS integer CACHE 1", f"+ table public.x {parts}"]


def test_a_changed_column_shows_both_definitions() -> None:
    key = Key("column", "status", "public.orders")
    assert show({key: "text"}, {key: "text NOT NULL"}) == [
        "~ column status of public.orders",
        "    - text",
        "    + text NOT NULL",
    ]


def test_a_part_that_was_added_to_an_existing_table_is_shown() -> None:
    key = Key("index", "public.i", "public.x")
    assert show({k: v for k, v in TABLE.items() if k != key}, TABLE) == [f"+ {key}", f"    + {TABLE[key]}"]


def test_a_part_of_a_table_that_was_replaced_by_a_view_is_not_counted_under_the_view() -> None:
    shown = show({Key("trigger", "t", "public.x"): "CREATE"}, {Key("view", "public.x"): "AS SELECT 1"})
    assert shown == ["- trigger t of public.x", "    - CREATE", "+ view public.x", "    + AS SELECT 1"]


def test_a_long_definition_is_shown_as_a_diff() -> None:
    lines = [f"line {number}" for number in range(30)]
    changed = [*lines[:15], "another", *lines[16:]]
    key = Key("function", "public.f()")
    shown = show({key: "\n".join(lines)}, {key: "\n".join(changed)})
    assert shown[0] == "~ function public.f()"
    assert {"    - line 15", "    + another", "      line 14"} <= set(shown)
    assert len(shown) < 12


def test_equal_schemas_show_nothing() -> None:
    assert show(TABLE, dict(reversed(TABLE.items()))) == []


def test_a_difference_is_written_as_json() -> None:
    written = write_difference(compare(Catalog({Key("column", "a", "t"): "text"}), Catalog({Key("table", "ü"): ""})))
    assert json.loads(json.dumps(written)) == [
        {"change": "removed", "kind": "column", "name": "a", "parent": "t", "before": "text", "after": None},
        {"change": "added", "kind": "table", "name": "ü", "parent": "", "before": None, "after": ""},
    ]


@pytest.mark.parametrize(
    ("key", "definition"),
    [
        (Key("column", "passwd", "public.users"), "text DEFAULT 'geheim-1'"),
        (Key("column", "value", "public.api_tokens"), "text DEFAULT 'geheim-1'"),
        (
            Key("function", "public.f()"),
            "CREATE FUNCTION public.f() AS $$\nBEGIN\nPERFORM crypt('geheim-1', gen_salt('bf'));\nEND\n$$",
        ),
        (Key("comment", "table public.x"), "COMMENT ON TABLE public.x IS 'password: geheim-1'"),
    ],
)
def test_a_changed_secret_is_a_change_without_it(key: Key, definition: str) -> None:
    before, after = {key: definition}, {key: definition.replace("1", "2")}
    shown = show(before, after)
    assert len([line for line in shown if "***" in line]) == 2
    written = json.dumps(write_difference(compare(Catalog(before), Catalog(after))))
    assert "***" in written
    assert "geheim" not in written + str(shown)
