"""The lock that admits one run at a time."""

import select
import time
from pathlib import Path
from threading import Timer

import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.database.run_lock import RunLock
from tasks.runner.errors import LockLostError
from tasks.runner.ledger.active_run import find_active_run
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop
from tests.kit.cutting import start_cutting_relay
from tests.kit.databases import Database, ask
from tests.kit.poolers import Pooler
from tests.kit.processes import freeze, thaw
from tests.kit.waiting import wait_until
from tests.stress.blocking import end_session

TRY = f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})"
HOLDER = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'migrate-lock %'"


def take_lock(url: str) -> RunLock:
    lock = RunLock(url, run_id="1", stop=Stop(), policy=RetryPolicy(), find_run=find_active_run)
    assert list(lock.acquire()) == []
    return lock


def asks(lock: RunLock) -> bool:
    """Ask for an answer; return True if one is awaited then."""
    lock.ask()
    return lock._asked_at is not None


def has_answered(lock: RunLock) -> bool:
    """Return True if the session with the lock has sent something."""
    return bool(select.select([lock._connection.pgconn.socket], [], [], 0)[0])


def test_the_lock_is_free_as_soon_as_it_was_released(any_database: Database) -> None:
    for _ in range(20):
        lock = take_lock(any_database.url)
        assert any_database.query(TRY) == [(False,)]
        lock.release()
        assert any_database.query(TRY) == [(True,)]


def test_a_pooler_keeps_the_session_that_had_the_lock(database: Database, pgbouncer: Pooler) -> None:
    lock = take_lock(pgbouncer.url)
    holder = database.query(HOLDER)
    lock.release()
    assert [(ask(pgbouncer.url, "SELECT pg_backend_pid()"),)] == holder


def test_a_session_that_is_gone_needs_no_release(database: Database) -> None:
    lock = take_lock(database.url)
    end_session(database, "migrate-lock %")
    lock.release()
    assert database.query(TRY) == [(True,)]


def test_a_recent_answer_does_not_hide_that_the_session_is_gone(database: Database) -> None:
    lock = take_lock(database.url)
    lock.check()
    end_session(database, "migrate-lock %")
    with pytest.raises(LockLostError, match="the session with the lock was ended"):
        lock.check()
    lock.release()


@pytest.mark.parametrize("asks_first", [True, False], ids=["answered", "unanswered"])
def test_an_answer_that_was_asked_for_does_not_hide_that_the_session_is_gone(
    asks_first: bool, database: Database, short_path: Path
) -> None:
    """The message of a server that ends a session arrives before the end of the connection, and before the lock is free."""
    with start_cutting_relay(short_path / "relay", database, lingers=True) as relay, database.connect() as other:
        lock = take_lock(relay.url)
        lock.check()
        backend = database.query(HOLDER)[0][0]
        if not asks_first:
            freeze(backend)
        wait_until(lambda: asks(lock), what="a question")
        if asks_first:
            wait_until(lambda: has_answered(lock), what="an answer")
        other.execute("SELECT pg_terminate_backend(%s)", [backend])
        if not asks_first:
            thaw(backend)
        wait_until(relay.ended.is_set, what="the end of the session")
        try:
            with pytest.raises(LockLostError, match="the session with the lock was ended: terminating connection"):
                lock.check()
        finally:
            lock.release()


def test_an_answer_that_was_asked_for_is_taken_before_the_next_question(database: Database) -> None:
    lock = take_lock(database.url)
    for _ in range(3):
        wait_until(lambda: asks(lock), what="a question")
        lock.check()
    wait_until(lambda: asks(lock), what="a question")
    lock.release()
    assert database.query(TRY) == [(True,)]


def test_an_answer_after_a_slow_one_is_valid_no_longer_than_others(database: Database) -> None:
    lock = take_lock(database.url)
    backend = database.query(HOLDER)[0][0]
    freeze(backend)
    thawing = Timer(0.5, thaw, [backend])
    thawing.start()
    wait_until(lambda: lock._is_stale, what="an old answer")
    lock.check()
    thawing.join()
    wait_until(lambda: asks(lock), what="a question")
    wait_until(lambda: has_answered(lock), what="an answer")
    lock.check()
    assert lock._answered_at <= time.monotonic()
    lock.release()


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_limits_for_an_application_do_not_apply_to_the_lock(way: str, database: Database, pgbouncer: Pooler) -> None:
    limits = "name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
    for (limit,) in database.query(f"SELECT name FROM pg_settings WHERE {limits}"):
        database.execute(f"ALTER DATABASE {database.name} SET {limit} = '1s'")
    pgbouncer.reconnect()
    lock = take_lock(pgbouncer.url if way == "pooled" else database.url)
    database.execute("SELECT pg_sleep(1.2)")
    lock.check()
    lock.release()
