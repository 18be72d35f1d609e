"""The log keeps how long each statement waited for locks and had them, beside the forecast that was shown before the run."""

import json

import pytest

from tasks.runner.database.activity import Awaited, Observation
from tasks.runner.errors import StatementError
from tasks.runner.events import Event, HeldBack, HistoryRead, StatementLocks, StatementStarted, StatementVerdict
from tasks.runner.execution.lock_times import LockTimes, WaitClock, read_lock_times
from tasks.runner.operations.forecast_text import pack_forecast
from tasks.runner.operations.requests import Request, perform
from tasks.runner.retries import RetryPolicy
from tests.kit.projects import Project
from tests.runner.operating import A, B, Operator, pick

POLICY = RetryPolicy(lock_timeout_ms=300, attempts=3)


def read_locks(operator: Operator, version: str) -> list[tuple[StatementLocks, ...]]:
    """Return the times of a version in each row of the log that has some, newest first."""
    (history,) = perform(Request("history", locks=True, version=version), operator.make_runner(), None)
    assert isinstance(history, HistoryRead)
    assert history.locks
    return [row.locks for row in history.rows]


def test_a_failed_try_is_logged_with_the_one_that_succeeds_and_with_the_forecast(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int); CREATE TABLE b (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE b ADD n int;\nALTER TABLE a ADD n int;")
    runner = operator.make_runner(policy=POLICY)
    forecast = pack_forecast([StatementVerdict(B, 2, "blocks_all", 1.5, 4.0)])
    events: list[Event] = []
    with operator.database.connect() as blocker:
        for event in perform(Request("migrate", forecast=forecast), runner, None):
            if isinstance(event, StatementStarted) and not pick(events, StatementStarted):
                blocker.execute("BEGIN; TABLE a")
            events.append(event)
            if isinstance(event, HeldBack):
                blocker.rollback()
    (times,) = read_locks(operator, B)
    assert [(each.number, each.line, each.attempt, each.sqlstate) for each in times] == [
        (1, 1, 1, ""),
        (2, 2, 1, "55P03"),
        (1, 1, 2, ""),
        (2, 2, 2, ""),
    ]
    first, failed, _, last = times
    assert failed.waited_ms > 0
    assert failed.held_ms == 0
    assert first.held_ms is not None
    assert first.held_ms >= failed.waited_ms
    assert first.waited_ms == last.waited_ms == 0
    assert [each.verdict for each in times] == ["", "blocks_all", "", "blocks_all"]
    assert (last.low, last.high) == (1.5, 4.0)


def test_each_segment_has_its_own_times(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nALTER TABLE a ADD n int;")
    operator.migrate()
    found = [[(each.number, each.held_ms is None) for each in row] for row in read_locks(operator, A)]
    assert found == [[(3, False)], [(2, False)], [(1, False)]]


def test_a_failure_is_logged_with_its_times(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);\nSELECT 1 / 0;")
    with pytest.raises(StatementError, match="division"):
        operator.migrate()
    (times,) = read_locks(operator, A)
    assert [(each.number, each.sqlstate) for each in times] == [(1, ""), (2, "22012")]


def test_in_one_transaction_the_locks_of_the_first_files_are_open_at_their_rows(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate(atomic=True)
    assert [[each.held_ms is None for each in row] for row in read_locks(operator, A)] == [[True]]
    assert [[each.held_ms is None for each in row] for row in read_locks(operator, B)] == [[False]]


def test_the_command_shows_them_beside_the_forecast(operator: Operator, project: Project) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    forecast = pack_forecast([StatementVerdict(A, 1, "blocks_writes", 0.25, 3.0)])
    project.migrate(f"--forecast={forecast}", check=0)
    shown = project.migrate("history", "--locks", check=0).stdout.splitlines()
    heading, values = shown[-2:]
    assert heading.split() == ["line", "attempt", "waited", "held", "forecast"]
    assert values.split()[:2] == ["1", "1"]
    assert values.endswith("blocks writes 0.25 to 3 s")
    (event,) = map(json.loads, project.migrate("history", "--locks", "--json", check=0).stdout.splitlines())
    assert [each["locks"][0]["verdict"] for each in event["rows"]] == ["blocks_writes"]


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "1", '{"statements": 1}', '{"statements": [1]}', '{"statements": [{"number": 1e999}]}']
)
def test_a_text_of_others_is_ignored(text: str) -> None:
    assert read_lock_times(text) == ()


def observe(at: float, waited: float | None) -> Observation:
    """Return what a look sees of a statement that has waited for some seconds, or that does not wait."""
    return Observation(awaited=None if waited is None else Awaited(1, "AccessExclusiveLock", waited), at=at)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], 0.0),
        ([(1.0, None)], 0.0),
        ([(1.0, 0.9), (2.0, 1.9)], 9.9),
        ([(1.0, 0.9), (2.0, 1.9), (3.0, None)], 2.4),
        ([(1.0, 0.5), (3.0, 1.0)], 9.0),
        ([(1.0, 0.9), (1.0, None)], 9.9),
    ],
)
def test_a_wait_ends_between_two_looks_or_with_the_statement(looks: list[tuple[float, float | None]], expected: float) -> None:
    clock = WaitClock()
    for at, waited in looks:
        clock.take(observe(at, waited))
    assert clock.end(10.0) == pytest.approx(expected)


@pytest.mark.parametrize(("commits", "expected"), [(False, 3.0), (True, 1.0)])
def test_the_waits_of_a_transaction_count_until_it_ends(commits: bool, expected: float) -> None:
    times = LockTimes()
    times.begin(A, 1, 1)
    times.end_statement(A, 2.0)
    times.write(A, commits=commits)
    times.begin(B, 1, 1)
    times.end_statement(B, 1.0)
    assert times.open_wait_s == expected


def test_no_time_is_negative_if_a_statement_waited_before_its_answer_was_waited_for() -> None:
    times = LockTimes()
    times.begin(A, 1, 1)
    times.end_statement(A, 60.0)
    ((waited, held),) = [(each.waited_ms, each.held_ms) for each in read_lock_times(times.write(A, commits=True))]
    assert (waited, held) == (60_000, 0)
