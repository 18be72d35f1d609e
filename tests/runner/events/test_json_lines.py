"""Events to JSON lines and back."""

import json
from dataclasses import dataclass, replace

import pytest

from tasks.rehearsal.events import CrashResumed, RehearsalFinding
from tasks.runner.events import EVENT_FORMAT, EVENTS, Event, FilesFound, RunStarted, StatusRead, event, from_json, to_json
from tests.report.samples import SAMPLES, STATUS


def test_there_is_a_sample_of_every_event() -> None:
    of_runner = {cls for cls in EVENTS.values() if cls.__module__.startswith("tasks.runner.")}
    assert {type(event) for event in SAMPLES} == of_runner


def test_two_events_of_one_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="Again and FilesFound are both events of the kind 'files_found'"):

        @event("files_found")
        @dataclass(frozen=True, slots=True)
        class Again(Event):
            count: int

    assert EVENTS["files_found"] is FilesFound


def test_an_event_of_another_package_comes_back_from_its_json() -> None:
    difference = RehearsalFinding(
        "not_restored", "the schema differs", diff=("+ table public.users",), changes=({"kind": "table"},)
    )
    resumed = CrashResumed("20250701093000_create_users", 3, "SELECT 1", 1, 2, (difference,))
    assert from_json(to_json(resumed)) == resumed


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_comes_back_from_its_json_as_it_was(event: Event) -> None:
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_is_one_line_of_json_that_begins_with_its_kind(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert next(iter(json.loads(line).items())) == ("kind", event.kind)


def test_json_is_not_escaped_to_ascii() -> None:
    assert "größe – 表" in to_json(FilesFound(1, "größe – 表"))


@pytest.mark.parametrize(
    "character",
    [
        "\x7f",
        "\x85",
        "\x9b",
        "\u061c",
        "\u200b",
        "\u200e",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ud800",
        "\U000e0041",
    ],
)
def test_a_character_that_a_terminal_obeys_or_hides_is_escaped(character: str) -> None:
    event = FilesFound(1, f"a{character}é😀")
    assert to_json(event).isprintable()
    assert json.loads(to_json(event))["what"] == event.what
    assert from_json(to_json(event)) == event
    assert "é😀" in to_json(event)


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    data = json.loads(to_json(STATUS))
    data["mood"] = "good"
    data["rows"][0]["weight"] = 3
    assert from_json(json.dumps(data)) == STATUS


def test_a_field_with_a_default_may_be_missing() -> None:
    data = json.loads(to_json(FilesFound(3)))
    del data["what"]
    assert from_json(json.dumps(data)) == FilesFound(3)


def test_a_list_may_be_empty() -> None:
    event = replace(STATUS, rows=(), findings=())
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("opening", [RunStarted, StatusRead])
def test_the_first_event_of_a_stream_carries_the_format(opening: type[Event]) -> None:
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
def test_a_line_that_is_not_an_event_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|not an event|expected|missing"):
        from_json(line)
