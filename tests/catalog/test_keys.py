"""A key of an object is a tuple, and part of an event."""

from dataclasses import asdict, fields
from typing import Any

from tasks.catalog import Change, Difference, Key


def test_a_key_in_an_event_is_written_with_the_names_of_its_fields() -> None:
    change = Change(Key("column", "a", "public.t"), None, "integer")
    key = {"kind": "column", "name": "a", "parent": "public.t"}
    assert asdict(Difference((change,))) == {"changes": ({"key": key, "before": None, "after": "integer"},)}


def test_a_key_is_built_from_the_names_of_its_fields() -> None:
    key: Any = Key
    assert [each.name for each in fields(key)] == ["kind", "name", "parent"]
    assert Key(kind="column", name="a", parent="public.t") == Key("column", "a", "public.t")
