"""A statement in the middle of a file waits for a lock: what is shown, logged, and repeated is about that statement."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tasks.runner.events import Event, HistoryRead, Retried, StatementLocks, StatementStarted, Waiting
from tasks.runner.operations.migrate import migrate
from tasks.runner.operations.requests import Request, perform
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator, collect_failure, list_done, pick

FILE = "CREATE TABLE c ();\nINSERT INTO b VALUES (1);\nTRUNCATE a;\nINSERT INTO b VALUES (2);\nDROP TABLE c;"
"""Its third statement needs a lock on the table a."""
WAITS = """
SELECT extract(epoch FROM clock_timestamp() - waitstart) FROM pg_locks
 WHERE NOT granted AND relation = 'a'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

Release = Callable[[psycopg.Connection[Any]], object]


@contextmanager
def blocking(database: Database, table: str, release: Release) -> Iterator[int]:
    """Have a lock on a table, in a young transaction, until `release` returns something true; yield the session's process id."""
    with database.connect(application_name=f"blocks {table}") as blocker:
        blocker.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")

        def wait() -> None:
            with database.connect() as watching:
                wait_until(lambda: release(watching), what=f"the moment to release {table}")
            blocker.rollback()

        thread = threading.Thread(target=wait)
        thread.start()
        try:
            yield blocker.info.backend_pid
        finally:
            thread.join()


def waits_long_for_a(watching: psycopg.Connection[Any]) -> bool:
    """Return True if a session has waited for the table a for some time."""
    return any(seconds is not None and seconds >= 1.2 for (seconds,) in watching.execute(WAITS).fetchall())


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
    shown: list[Event] = []
    policy = RetryPolicy(lock_timeout_ms=30_000, attempts=1, patience_ms=0)
    with blocking(busy.database, "a", lambda _: bool(shown)) as pid:
        events = []
        for event in migrate(busy.make_runner(policy=policy), MigrateGoal()):
            events.append(event)
            if isinstance(event, Waiting) and event.blockers:
                shown.append(event)
    first = pick(events, Waiting)[0]
    assert (first.version, first.line, [blocker.pid for blocker in first.blockers]) == (B, 3, [pid])
    assert [event.number for event in pick(events, StatementStarted)] == [1, 2, 3, 4, 5]
    times = read_locks(busy, B)
    assert [each.number for each in times if each.waited_ms >= 1000] == [3]
    assert all(each.waited_ms == 0 for each in times if each.number != 3)
    held = [each.held_ms or 0 for each in times]
    # Each is rounded.
    assert held[0] >= held[1] >= held[3] + 999
    assert held[3] >= held[4] >= 0
    assert list_done(events) == [B]
    assert busy.database.query("TABLE b") == [(1,), (2,)]


def test_after_the_lock_timeout_the_file_is_repeated_from_its_start(busy: Operator) -> None:
    busy.write(B, FILE)
    policy = RetryPolicy(lock_timeout_ms=2000, attempts=5)
    released: list[object] = []
    with blocking(busy.database, "a", lambda _: bool(released)) as pid:
        events = []
        try:
            for event in migrate(busy.make_runner(policy=policy), MigrateGoal()):
                events.append(event)
                if isinstance(event, Retried):
                    released.append(event)
        finally:
            released.append("the run has ended")
    first = pick(events, Retried)[0]
    assert (first.version, first.line, first.attempt) == (B, 3, 1)
    assert first.reason == "lock not available: canceling statement due to lock timeout"
    assert [blocker.pid for blocker in first.blockers] == [pid]
    numbers = [event.number for event in pick(events, StatementStarted)]
    assert numbers[:3] == [1, 2, 3]
    assert numbers[-5:] == [1, 2, 3, 4, 5]
    assert busy.database.query("TABLE b") == [(1,), (2,)]


def test_the_statements_of_a_file_share_one_lock_timeout(busy: Operator) -> None:
    busy.write(B, "INSERT INTO b VALUES (1);\nLOCK TABLE a;\nSELECT 1;\nLOCK TABLE b;\nINSERT INTO b VALUES (2);")
    policy = RetryPolicy(lock_timeout_ms=2000, attempts=1, patience_ms=0)
    done: list[bool] = []
    with blocking(busy.database, "a", waits_long_for_a), blocking(busy.database, "b", lambda _: bool(done)) as pid:
        _, error = collect_failure(migrate(busy.make_runner(policy=policy), MigrateGoal()))
        done.append(True)
    assert error.sqlstate == "55P03"
    assert error.place is not None
    assert error.place.line == 4
    assert f"blocked by pid {pid}" in error.message
    assert error.message.startswith("canceling statement due to lock timeout")
    waits = {each.number: each.waited_ms for each in read_locks(busy, B)}
    assert waits[2] > 0
    assert 0 < waits[4] < policy.lock_timeout_ms
    assert busy.read_applied() == [A]
