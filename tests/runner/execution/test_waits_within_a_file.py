"""A statement in the middle of a file waits for a lock: what is shown, logged, and repeated is about that statement."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tasks.runner.database import activity
from tasks.runner.database.activity import Awaited
from tasks.runner.events import Event, HistoryRead, Retried, StatementLocks, StatementStarted, Waiting
from tasks.runner.execution import statement_run
from tasks.runner.operations.migrate import migrate
from tasks.runner.operations.requests import Request, perform
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator, collect_failure, list_done, pick

FILE = "CREATE TABLE c ();\nINSERT INTO b VALUES (1);\nTRUNCATE a;\nINSERT INTO b VALUES (2);\nDROP TABLE c;"
"""Its third statement needs a lock on the table a."""

Release = Callable[[], object]


@contextmanager
def blocking(database: Database, table: str, release: Release) -> Iterator[int]:
    """Have a lock on a table, in a young transaction, until `release` returns something true; yield the session's process id."""
    with database.connect(application_name=f"blocks {table}") as blocker:
        blocker.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")

        def wait() -> None:
            wait_until(release, what=f"the moment to release {table}")
            blocker.rollback()

        thread = threading.Thread(target=wait)
        thread.start()
        try:
            yield blocker.info.backend_pid
        finally:
            thread.join()


def read_locks(operator: Operator, version: str) -> tuple[StatementLocks, ...]:
    """Return the times of the newest row of the log of a version."""
    (history,) = perform(Request("history", locks=True, version=version), operator.make_runner(), None)
    assert isinstance(history, HistoryRead)
    return history.rows[0].locks


@pytest.fixture
def busy(any_operator: Operator) -> Operator:
    """Return an operator whose database has the tables a and b."""
    any_operator.write(A, "CREATE TABLE a (id int);\nCREATE TABLE b (id int);")
    any_operator.migrate()
    return any_operator


def test_the_wait_is_shown_and_logged_for_that_statement(busy: Operator) -> None:
    busy.write(B, FILE)
    shown: list[Waiting] = []
    policy = RetryPolicy(lock_timeout_ms=60_000, attempts=1, patience_ms=0)
    with blocking(busy.database, "a", lambda: shown) as pid:
        events = []
        for event in migrate(busy.make_runner(policy=policy), MigrateGoal()):
            events.append(event)
            if isinstance(event, Waiting) and event.blockers:
                shown.append(event)
    first = shown[0]
    assert (first.version, first.line, [blocker.pid for blocker in first.blockers]) == (B, 3, [pid])
    assert [event.number for event in pick(events, StatementStarted)] == [1, 2, 3, 4, 5]
    times = read_locks(busy, B)
    assert [each.number for each in times if each.waited_ms > 0] == [3]
    held = [each.held_ms or 0 for each in times]
    # The blocker is shown after two seconds, and then ends.
    assert held[0] >= held[1] >= held[3] + 1999
    assert held[3] >= held[4]
    assert min(held) >= 0
    assert list_done(events) == [B]
    assert busy.database.query("TABLE b") == [(1,), (2,)]


def test_after_the_lock_timeout_the_file_is_repeated_from_its_start(busy: Operator) -> None:
    busy.write(B, FILE)
    policy = RetryPolicy(lock_timeout_ms=300, attempts=5)
    events: list[Event] = []
    with busy.database.connect() as blocker:
        pid = blocker.info.backend_pid
        for event in migrate(busy.make_runner(policy=policy), MigrateGoal()):
            if isinstance(event, StatementStarted) and not pick(events, StatementStarted):
                blocker.execute("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE")
            events.append(event)
            if isinstance(event, Retried):
                blocker.rollback()
    ((retried),) = pick(events, Retried)
    assert (retried.version, retried.line, retried.attempt) == (B, 3, 1)
    assert retried.reason == "lock not available: canceling statement due to lock timeout"
    assert [session.pid for session in retried.blockers] == [pid]
    assert [event.number for event in pick(events, StatementStarted)] == [1, 2, 3, 1, 2, 3, 4, 5]
    assert busy.database.query("TABLE b") == [(1,), (2,)]


def test_the_statements_of_a_file_share_one_lock_timeout(busy: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look finds a wait that has lasted longer than it has, so that the time of the test does not matter."""
    read = activity._read_awaited

    def read_longer(rows: Sequence[tuple[str, ...]]) -> Awaited | None:
        awaited = read(rows)
        return awaited and replace(awaited, seconds=awaited.seconds + 50)

    monkeypatch.setattr(activity, "_read_awaited", read_longer)
    monkeypatch.setattr(statement_run, "_choose_interval", lambda _: 0.1)
    busy.write(B, "INSERT INTO b VALUES (1);\nLOCK TABLE a;\nSELECT 1;\nLOCK TABLE b;\nINSERT INTO b VALUES (2);")
    policy = RetryPolicy(lock_timeout_ms=60_000, attempts=1, patience_ms=0)
    shown: list[Event] = []
    done: list[bool] = []

    def run() -> Iterator[Event]:
        try:
            for event in migrate(busy.make_runner(policy=policy), MigrateGoal()):
                if isinstance(event, Waiting) and event.blockers:
                    shown.append(event)
                yield event
        finally:
            done.append(True)

    with blocking(busy.database, "a", lambda: shown or done), blocking(busy.database, "b", lambda: done) as pid:
        _, error = collect_failure(run())
    assert isinstance(error.__cause__, statement_run.SharedTimeoutError)
    assert error.sqlstate == "55P03"
    assert error.place is not None
    assert error.place.line == 4
    assert f"blocked by pid {pid}" in error.message
    assert error.message.startswith("canceling statement due to lock timeout")
    waits = {each.number: each.waited_ms for each in read_locks(busy, B)}
    assert waits[2] > 50_000
    assert waits[4] > 50_000
    assert busy.read_applied() == [A]
