"""The lock that admits one run at a time."""

from tasks.runner.database.active_run import LOCK_KEY
from tasks.runner.database.run_lock import RunLock
from tasks.runner.signals import Stop
from tests.kit.databases import Database, ask
from tests.kit.poolers import Pooler
from tests.stress.blocking import end_session

TRY = f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})"
HOLDER = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'migrate-lock %'"


def take_lock(url: str) -> RunLock:
    lock = RunLock(url, run_id="1", stop=Stop())
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
