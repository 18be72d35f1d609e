"""A key of an object is a tuple, and in an event an object."""

import json
from dataclasses import dataclass

from tasks.catalog import Change, Difference, Key
from tasks.runner.events import Event, to_json
from tasks.runner.events.json_lines import read_field_types


@dataclass(frozen=True)
class DifferenceShown(Event):
    """An event with a difference of schemas."""

    changes: Difference


def test_a_key_in_an_event_is_written_with_the_names_of_its_fields() -> None:
    written = json.loads(to_json(DifferenceShown(Difference((Change(Key("column", "a", "public.t"), None, "integer"),)))))
    key = {"kind": "column", "name": "a", "parent": "public.t"}
    assert written["changes"] == {"changes": [{"key": key, "before": None, "after": "integer"}]}


def test_the_fields_of_a_key_have_types() -> None:
    assert read_field_types(Key) == {"kind": str, "name": str, "parent": str}
