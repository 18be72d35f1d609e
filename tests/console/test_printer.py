"""Printing events to a stream without colour."""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from tasks.console import JsonReport, PlainReport, print_events
from tasks.runner.events import (
    Event,
    FilesFound,
    Finding,
    IndexAdvanced,
    LockAwaited,
    PlanMade,
    Retried,
    Skipped,
    StepFailed,
    Waiting,
    from_json,
)
from tests.report.samples import ASSETS, ERROR, FAILURE, MIGRATION, PSQL, SAMPLES, SEARCH, USERS

OTHER = replace(PSQL, pid=124)


def _print(events: Iterable[Event], *, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    print_events(events, PlainReport(stream, verbose=verbose).write)
    return stream.getvalue().splitlines()


def test_the_events_of_a_run_are_printed_line_by_line() -> None:
    assert _print(MIGRATION)[1:] == [
        "Found 14 migration files",
        "⏭️  Skipping 8 migrations (already applied)",
        f"⚠️  {ASSETS} (late): is older than {SEARCH}, which is already applied; it runs anyway (--strict refuses it)",
        f"✅ Applied {USERS} (12 ms)",
    ]


def test_seeds_are_called_seeds() -> None:
    assert _print([FilesFound(3, "seed"), Skipped(("001_a", "002_b"))])[1] == "⏭️  Skipping 2 seeds (already applied)"


def test_an_error_does_not_repeat_the_message_of_the_failure() -> None:
    assert _print(FAILURE)[-6:] == [
        f'❌ Failed {SEARCH}: syntax error at or near "TABEL"',
        f"   migrations/up/{ASSETS}.sql:3:8 (42601)",
        "    3 | CREATE TABEL users (",
        "      |        ^",
        f"   State: {ASSETS} was rolled back completely. 2 earlier migrations of this run stay applied.",
        "   Next:  fix the file and run the command again.",
    ]


def test_an_error_adds_the_lines_that_the_failure_did_not_have() -> None:
    error = replace(ERROR, message=f"{ERROR.message}\na detail\nanother", file="", source="", state="", hint="")
    lines = _print([StepFailed("migrate", USERS, ERROR.message), error])
    assert lines[1:] == ["   a detail", "   another", "   (42601)"]


def test_a_failure_and_its_error_on_the_same_file_are_reported_once() -> None:
    stream = io.StringIO()
    print_events(FAILURE, PlainReport(stream, joined=True).write)
    assert stream.getvalue().splitlines()[-6:-4] == [
        f'❌ Failed {SEARCH}: syntax error at or near "TABEL" (42601)',
        f"   migrations/up/{ASSETS}.sql:3:8",
    ]


@pytest.mark.parametrize("following", [ERROR, FilesFound(1)])
def test_a_failure_that_another_event_follows_is_not_lost(following: Event) -> None:
    stream = io.StringIO()
    print_events([StepFailed("migrate", USERS, "the lock was lost"), following], PlainReport(stream, joined=True).write)
    assert stream.getvalue().startswith(f"❌ Failed {USERS}: the lock was lost\n")


def test_an_error_that_repeats_the_findings_of_its_plan_refers_to_them() -> None:
    finding = Finding("edited", USERS, "was edited", refuses=True)
    refused = replace(ERROR, message=f"{USERS} was edited", file="", source="", sqlstate="")
    lines = _print([PlanMade("migrate", False, (), (finding,)), refused])
    assert [line for line in lines if "❌" in line] == [f"❌ {USERS} (edited): was edited", "❌ Refused: see above"]


def test_a_finding_whose_message_only_has_the_path_of_a_file_names_its_migration() -> None:
    finding = Finding("interrupted", USERS, f"has 1 of its 2 segments committed, but up/{USERS}.sql changed", refuses=True)
    assert f"❌ {USERS} (interrupted): has 1 of its 2 segments committed" in "\n".join(
        _print([PlanMade("migrate", False, (), (finding,))])
    )


def test_an_error_other_than_the_failure_is_printed_completely() -> None:
    assert _print([StepFailed("migrate", USERS, "the lock was lost"), ERROR])[1].startswith("❌ syntax error")


@pytest.mark.parametrize(
    ("events", "printed"),
    [
        ([Waiting(SEARCH, 9, seconds, (PSQL,)) for seconds in range(2, 20)], [2, 4, 8, 16]),
        ([Waiting(SEARCH, 9, 2, (PSQL,)), Waiting(SEARCH, 9, 3, (OTHER,))], [2, 3]),
        ([Waiting(SEARCH, 9, 8, (PSQL,)), Waiting(SEARCH, 12, 2, (PSQL,))], [8, 2]),
        ([LockAwaited(PSQL, seconds) for seconds in range(2, 20, 2)], [2, 4, 8, 16]),
        ([LockAwaited(PSQL, 2), LockAwaited(OTHER, 3), LockAwaited(None, 4)], [2, 3, 4]),
        ([IndexAdvanced(SEARCH, 9, "scanning", percent) for percent in range(0, 40, 3)], [0, 12, 24, 36]),
        ([IndexAdvanced(SEARCH, 9, "scanning", 5), IndexAdvanced(SEARCH, 9, "sorting", 6)], [5, 6]),
    ],
)
def test_repeated_events_are_printed_less_and_less_often(events: list[Event], printed: list[int]) -> None:
    lines = _print(events)
    assert len(lines) == len(printed)
    assert all(str(number) in line for number, line in zip(printed, lines, strict=True))


def test_a_retry_that_repeats_the_one_before_is_one_line() -> None:
    retries = [Retried(SEARCH, 9, attempt, 10, "lock timeout", 0.5, (PSQL,)) for attempt in (1, 2, 3)]
    lines = _print([*retries, Retried(SEARCH, 9, 4, 10, "lock timeout", 2, (OTHER,))])
    assert lines[-5:-3] == [
        f"🔁 {SEARCH}.sql:9 was rolled back again (attempt 2 of 10); retried in 0.5 s",
        f"🔁 {SEARCH}.sql:9 was rolled back again (attempt 3 of 10); retried in 0.5 s",
    ]
    assert "pid 124" in lines[-1]


def test_alternating_events_are_throttled_independently() -> None:
    alternating = [
        event
        for second in range(2, 10)
        for event in (IndexAdvanced(SEARCH, 9, "scanning", 5), Waiting(SEARCH, 9, second, (PSQL,)))
    ]
    assert len(_print(alternating)) == 1 + 3


def test_json_is_one_event_per_line_and_nothing_else() -> None:
    stream = io.StringIO()
    print_events(SAMPLES, JsonReport(stream).write)
    assert tuple(map(from_json, stream.getvalue().splitlines())) == SAMPLES


def test_each_line_is_flushed_at_once() -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="utf-8")
    report = JsonReport(stream)
    report.write(FilesFound(1))
    assert buffer.getvalue().endswith(b"\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_symbols_that_a_stream_cannot_encode_become_question_marks(encoding: str) -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding=encoding)
    print_events(MIGRATION, PlainReport(stream).write)
    assert f"? Applied {USERS} (12 ms)" in buffer.getvalue().decode(encoding).splitlines()


def test_json_on_a_stream_without_utf_8_has_the_same_content() -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="ascii")
    event = FilesFound(1, "größe 🌱")
    JsonReport(stream).write(event)
    assert from_json(buffer.getvalue().decode("ascii")) == event


def test_a_text_with_lone_surrogates_is_still_printed() -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="utf-8")
    print_events([FilesFound(1, "lone \udc80")], PlainReport(stream).write)
    print_events([FilesFound(1, "lone \udc80")], JsonReport(stream).write)
    plain, line = buffer.getvalue().decode().splitlines()
    assert plain == "Found 1 lone \ufffd file"
    assert json.loads(line)["what"] == "lone \udc80"


def test_the_last_event_is_the_outcome() -> None:
    assert print_events(FAILURE, lambda _event: None) == ERROR


def test_without_events_there_is_no_outcome() -> None:
    assert print_events([], lambda _event: None) is None


def test_an_exception_of_the_run_is_propagated() -> None:
    def run() -> Iterator[Event]:
        yield FilesFound(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        print_events(run(), lambda _event: None)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_run_is_closed_when_its_report_fails(error: type[BaseException]) -> None:
    closed = []

    def run() -> Iterator[Event]:
        try:
            yield FilesFound(1)
            yield FilesFound(2)
        finally:
            closed.append(True)

    def write(_event: Event) -> None:
        raise error

    running = run()
    with pytest.raises(error):
        print_events(running, write)
    assert closed == [True]
