"""The time limit of a rehearsal, reached when the test is ready: on a slow machine, any number of seconds may be too few."""

from collections.abc import Callable
from threading import Timer
from typing import Any

import psycopg
import pytest

from tasks.rehearsal.replay import rehearsal
from tests.kit.servers import Server

_NOW = "SELECT clock_timestamp()"
_SLEEPS = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query_start > %s AND query LIKE %s AND pid <> pg_backend_pid()"


def limit_sleep(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """Stop a migration as soon as its statement that sleeps runs, instead of after the seconds of its time limit.

    No other process may use the server.
    """

    class LimitedSleep(Timer):
        """A time limit that watches the server."""

        def __init__(self, interval: float, function: Callable[..., object], args: tuple[Any, ...]) -> None:
            super().__init__(interval, function, args)
            self._connection = psycopg.connect(server.url(), autocommit=True)
            # What an earlier migration left may still sleep.
            self._since = self._connection.execute(_NOW).fetchone()

        def run(self) -> None:
            """Wait until the migration sleeps or ends."""
            with self._connection as connection:
                while not self.finished.wait(0.02):
                    if connection.execute(_SLEEPS, [*(self._since or ()), "%pg_sleep%"]).rowcount:
                        self.function(*self.args)
                        return

    monkeypatch.setattr(rehearsal, "Timer", LimitedSleep)
