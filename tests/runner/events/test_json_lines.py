"""Events to JSON lines and back."""

import json
from dataclasses import replace
from typing import get_args

import pytest

from tasks.runner.events import EVENT_FORMAT, Event, FilesFound, RunStarted, StatusRead, WireEvent, from_json, to_json
from tests.report.samples import SAMPLES, STATUS


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(event) for event in SAMPLES} == set(get_args(WireEvent))


def test_no_two_events_share_a_kind() -> None:
    assert len({event.kind for event in get_args(WireEvent)}) == len(get_args(WireEvent))


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_comes_back_from_its_json_as_it_was(event: Event) -> None:
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_is_one_line_of_json_that_begins_with_its_kind(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert next(iter(json.loads(line).items())) == ("kind", event.kind)


def test_text_in_json_is_readable_as_it_is() -> None:
    assert "größe – 表" in to_json(FilesFound(1, "größe – 表"))


def test_fields_that_are_not_known_are_ignored_at_every_depth() -> None:
    data = json.loads(to_json(STATUS))
    data["mood"] = "good"
    data["rows"][0]["weight"] = 3
    assert from_json(json.dumps(data)) == STATUS


def test_a_field_with_a_default_may_be_left_out() -> None:
    data = json.loads(to_json(FilesFound(3)))
    del data["what"]
    assert from_json(json.dumps(data)) == FilesFound(3)


def test_a_list_may_be_empty() -> None:
    event = replace(STATUS, rows=(), findings=())
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("opening", [RunStarted, StatusRead])
def test_what_opens_a_stream_carries_the_format(opening: type[Event]) -> None:
    event = next(event for event in SAMPLES if isinstance(event, opening))
    assert json.loads(to_json(event))["format"] == EVENT_FORMAT


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Connecting to fdaa:0:1:a7b::2...",
        "{",
        "[]",
        "null",
        "17",
        "{}",
        '{"kind": "files_lost"}',
        '{"kind": null}',
        '{"kind": "files_found"}',
        '{"kind": "status_read", "environment": "", "database": "", "rows": [1], "findings": [], "total": 0}',
        '{"kind": "status_read", "environment": "", "database": "", "rows": [{}], "findings": [], "total": 0}',
    ],
)
def test_what_is_no_event_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON|no event|expected|missing"):
        from_json(line)
