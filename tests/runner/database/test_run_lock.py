"""The lock that admits one run at a time."""

import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.database.run_lock import RunLock
from tasks.runner.errors import LockLostError
from tasks.runner.ledger.active_run import find_active_run
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop
from tests.kit.databases import Database, ask
from tests.kit.poolers import Pooler
from tests.stress.blocking import end_session

TRY = f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})"
HOLDER = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'migrate-lock %'"


def take_lock(url: str) -> RunLock:
    lock = RunLock(url, run_id="1", stop=Stop(), policy=RetryPolicy(), find_run=find_active_run)
    assert list(lock.acquire()) == []
    return lock


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


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_limits_for_an_application_do_not_apply_to_the_lock(way: str, database: Database, pgbouncer: Pooler) -> None:
    limits = "name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
    for (limit,) in database.query(f"SELECT name FROM pg_settings WHERE {limits}"):
        database.execute(f"ALTER DATABASE {database.name} SET {limit} = '50ms'")
    pgbouncer.reconnect()
    lock = take_lock(pgbouncer.url if way == "pooled" else database.url)
    database.execute("SELECT pg_sleep(0.2)")
    lock.check()
    lock.release()
