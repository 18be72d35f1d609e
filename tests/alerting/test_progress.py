"""The progress of a run, and how long it has been waiting."""

from collections.abc import Sequence

import pytest

from tasks.alerting.progress import RunProgress, advance, count_waited_s
from tasks.runner.events import (
    ErrorRaised,
    Event,
    LockAwaited,
    Retried,
    RunStarted,
    Session,
    StatementFinished,
    StatementStarted,
    StepFinished,
    StepStarted,
    Waiting,
)

V = "20250101000000_create_a"
BLOCKER = Session(7, "gaia", "psql", "local", "idle in transaction", "2025-01-01T00:00:00Z", "LOCK TABLE a")
STEP = StepStarted("migrate", V, 1, 2, 3)
ERROR = ErrorRaised("no", "", "", "", 0, 0, "", "", 1)


def begin(number: int) -> StatementStarted:
    return StatementStarted(V, number, f"statement {number}", number, 3)


def end(number: int) -> StatementFinished:
    return StatementFinished(V, number, number, 3, 1)


def wait(seconds_s: float) -> Waiting:
    return Waiting(V, 2, seconds_s, (BLOCKER,))


def follow(*events: tuple[float, Event]) -> RunProgress:
    progress = RunProgress()
    for now, event in events:
        progress = advance(progress, event, now)
    return progress


UNBLOCKED = Waiting(V, 1, 3.0, ())
RETRY = Retried(V, 2, 1, 10, "lock timeout", 0.5)


@pytest.mark.parametrize(
    ("events", "waited_s"),
    [
        ([(0, STEP), (1, begin(1)), (90, UNBLOCKED)], 0),
        ([(0, STEP), (10, begin(2)), (12, wait(2))], 90),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (15, wait(5))], 90),
        ([(10, LockAwaited(None, 0)), (50, LockAwaited(BLOCKER, 40))], 90),
        ([(10, LockAwaited(BLOCKER, 0)), (40, STEP)], 0),
        ([(10, RETRY)], 90),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (15, RETRY), (20, begin(1)), (21, end(1)), (22, begin(2))], 90),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (15, RETRY), (20, begin(1)), (23, UNBLOCKED)], 90),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (20, end(2))], 0),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (20, UNBLOCKED)], 0),
        ([(0, STEP), (10, begin(2)), (12, wait(2)), (20, StepFinished("migrate", V, 9))], 0),
    ],
    ids=[
        "a slow statement without blockers",
        "from when the statement began",
        "on and on",
        "for another run",
        "until the other run is done",
        "a try that was given up before anybody could look",
        "all tries of a transaction together",
        "also while an earlier statement of the next try is slow",
        "until the statement is done",
        "until it has its lock and works",
        "until the step is done",
    ],
)
def test_the_waiting_time_of_a_run_is_counted(events: Sequence[tuple[float, Event]], waited_s: float) -> None:
    assert count_waited_s(follow(*events), 100) == waited_s


def test_a_retry_without_blockers_keeps_the_last_known_blockers() -> None:
    progress = follow((0, STEP), (10, begin(2)), (12, wait(2)), (15, RETRY))
    assert progress.wait is not None
    assert progress.wait.blockers == (BLOCKER,)


def test_the_current_statement_is_the_last_one_started_and_a_new_step_resets_it() -> None:
    progress = follow((0, RunStarted("r", "migrate", "dev", "db", "me")), (0, STEP), (1, begin(2)), (2, ERROR))
    assert (progress.run_id, progress.version, progress.line, progress.statement) == ("r", V, 2, "statement 2")
    assert progress.error == ERROR
    assert advance(progress, STEP, 3).statement == ""
