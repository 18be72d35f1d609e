"""The lock on the role of a rehearsal: the server ends the session of a process a moment after the process has closed it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.scratch import login
from tasks.rehearsal.scratch.login import open_login, release, relock
from tests.kit.own_servers import OwnServer
from tests.kit.waiting import LIMIT_S, wait_until

Connection = psycopg.Connection[Any]
TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
WAITS = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = %s AND NOT granted"


@pytest.fixture
def sessions(running: OwnServer) -> Iterator[tuple[Connection, Connection]]:
    """Yield the session of a process that has ended, which the server has not ended yet, and that of another process."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(psycopg.connect(running.url(), autocommit=True)) for _ in range(2))
        yield one, other


def test_the_next_process_can_use_the_same_role(running: OwnServer, sessions: tuple[Connection, Connection]) -> None:
    ending, following = sessions
    used = open_login(ending, running.url())
    assert used is not None
    release(ending, used)
    assert following.execute(TAKE, [used.name]).fetchone() == (True,)


def test_a_process_whose_session_was_lost_waits_for_its_end(
    running: OwnServer, sessions: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_LOCK_TIMEOUT", f"{LIMIT_S}s")
    lost, reopened = sessions
    own = open_login(lost, running.url())
    assert own is not None
    with ThreadPoolExecutor(1) as thread:
        locking = thread.submit(relock, reopened, own)
        wait_until(lambda: lost.execute(WAITS, [reopened.info.backend_pid]).rowcount, what="the wait for the lock")
        lost.close()
        locking.result()
    release(reopened, own)


def test_a_role_that_another_process_uses_is_not_used(
    running: OwnServer, sessions: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_LOCK_TIMEOUT", "100ms")
    using, lost = sessions
    other = open_login(using, running.url())
    assert other is not None
    with pytest.raises(ScratchError, match="another process uses its role now"):
        relock(lost, other)
    release(using, other)
