"""The lock that lets one runner go on at a time."""

from tasks.runner.lock import LOCK_KEY, RunLock
from tasks.runner.signals import Stop
from tests.kit.databases import Database, ask
from tests.kit.poolers import Pooler

TRY = f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})"
HELD = "pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database() WHERE locktype = 'advisory'"


def take_lock(url: str) -> RunLock:
    lock = RunLock(url, run_id="1", stop=Stop())
    assert list(lock.acquire()) == []
    return lock


def test_the_lock_is_free_as_soon_as_it_was_given_back(any_database: Database) -> None:
    for _ in range(20):
        lock = take_lock(any_database.url)
        assert any_database.query(TRY) == [(False,)]
        lock.release()
        assert any_database.query(TRY) == [(True,)]


def test_a_pooler_keeps_the_session_that_held_the_lock(database: Database, pgbouncer: Pooler) -> None:
    lock = take_lock(pgbouncer.url)
    holder = database.query(f"SELECT pid FROM {HELD}")
    lock.release()
    assert [(ask(pgbouncer.url, "SELECT pg_backend_pid()"),)] == holder


def test_a_session_that_is_gone_has_nothing_to_give_back(database: Database) -> None:
    lock = take_lock(database.url)
    assert database.query(f"SELECT pg_terminate_backend(pid, 10000) FROM {HELD}") == [(True,)]
    lock.release()
    assert database.query(TRY) == [(True,)]
