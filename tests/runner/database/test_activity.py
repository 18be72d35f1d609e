"""The watcher: it sees who blocks a session, and nothing waits for it."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tasks.runner.database.activity import Observation, Watcher
from tasks.runner.database.limited_session import LimitedSession
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.processes import freeze, thaw
from tests.kit.waiting import wait_until

ID = str(os.getpid())
"""Other processes run these tests at the same time, on the same server."""
WATCHED, WATCHES = f"migrate-run {ID}", f"migrate-watch {ID}"


@contextmanager
def watching(url: str) -> Iterator[Watcher]:
    """Yield a watcher, and check that nothing of it is left when it is closed."""
    watcher = Watcher(url, run_id=ID, watched=WATCHED)
    try:
        watcher.begin()
        yield watcher
    finally:
        watcher.close()
        wait_until(lambda: not watches(), what="the end of the thread")


def watches() -> bool:
    """Return True if the thread of a watcher runs."""
    return WATCHES in [thread.name for thread in threading.enumerate()]


def look(watcher: Watcher) -> Observation | None:
    watcher.request()
    return watcher.await_answer(20)


def look_at_nothing(watcher: Watcher) -> bool:
    """Return True if a look is answered, and sees nothing."""
    seen = look(watcher)
    return seen is not None and replace(seen, at=0.0) == Observation()


def test_it_sees_who_blocks_the_watched_session_until_the_next_statement_begins(any_database: Database) -> None:
    with (
        watching(any_database.url) as watcher,
        any_database.connect(application_name="a report") as blocker,
        any_database.connect(application_name=WATCHED) as watched,
    ):
        blocker.execute("SELECT pg_advisory_lock(1)")
        watched.pgconn.send_query(b"SELECT pg_advisory_lock(1)")
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = %s"
        wait_until(lambda: any_database.query(waits, watched.info.backend_pid))
        seen = look(watcher)
        assert seen is not None
        assert [(session.pid, session.application) for session in seen.blockers] == [(blocker.info.backend_pid, "a report")]
        watcher.begin()
        assert watcher.latest is None
        blocker.execute("SELECT pg_advisory_unlock(1)")
        while watched.pgconn.get_result():
            pass


def test_it_opens_no_session_before_the_first_request(database: Database) -> None:
    sessions = f"SELECT FROM pg_stat_activity WHERE application_name = '{WATCHES}'"
    with watching(database.url) as watcher:
        assert not watches()
        assert database.query(sessions) == []
        assert look_at_nothing(watcher)
        assert len(database.query(sessions)) == 1
    wait_until(lambda: not database.query(sessions), what="the end of the session")


def test_a_watcher_that_is_connecting_ends_at_once(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_path / ".s.PGSQL.5432"))
        listener.listen()
        with watching(f"postgresql:///x?host={quote(str(short_path), safe='')}") as watcher:
            watcher.request()
            client = listener.accept()[0]
            assert client.recv(4096)
            assert watcher.latest is None
        assert client.recv(4096) == b""
        client.close()


def test_a_watcher_whose_session_does_not_answer_ends_at_once(own_server: OwnServer) -> None:
    with watching(own_server.url()) as watcher, Database(own_server, "postgres").connect() as observer:
        look(watcher)
        watcher.begin()
        row = observer.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [WATCHES]).fetchone()
        assert row is not None
        freeze(row[0])
        try:
            watcher.request()
            assert watcher.await_answer(0.1) is None
            watcher.close()
        finally:
            thaw(row[0])


def test_a_database_that_cannot_be_reached_is_not_asked_again_at_once(short_path: Path) -> None:
    with watching(f"postgresql:///x?host={quote(str(short_path), safe='')}") as watcher:
        assert look(watcher) is None
        assert look(watcher) is None


def test_a_role_may_have_another_search_path(database: Database) -> None:
    database.execute("CREATE SCHEMA app; CREATE VIEW app.pg_stat_activity AS SELECT 1 AS pid, 1/0 AS application_name")
    with watching(f"{database.url}&options=-csearch_path%3Dapp,pg_catalog") as watcher:
        assert look_at_nothing(watcher)


@pytest.mark.parametrize("text", ["SELECT pg_sleep(60)", "SELECT 1/0"])
def test_a_query_that_fails_or_takes_too_long_is_an_error(text: str, database: Database) -> None:
    session = LimitedSession(database.url, name="x", stop=Stop(), limit_s=60)
    session._limit_s = 0.2  # A slow machine may take longer to connect.
    with pytest.raises(psycopg.Error):
        session.query([text])
    session.close()
