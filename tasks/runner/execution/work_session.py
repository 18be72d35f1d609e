"""The session that runs the files; it is replaced when a file changed the settings with which sessions start."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from tasks.runner.database.own_connection import OwnConnection
from tasks.runner.database.second_session import open_first
from tasks.runner.database.session import connect
from tasks.runner.errors import ConnectError
from tasks.runner.identity import Identity
from tasks.runner.ledger.snapshot import compose_work_probe, take_defaults
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop

_NO_PRIVILEGE = "42501"
NoticeHandler = Callable[[psycopg.errors.Diagnostic], None]


class WorkSession:
    """The session of a run: `defaults` are the settings of role and database that it started with, None if they are unknown.

    Behind a pooler they stay unknown: the sessions there belong to the pooler, and keep what they started with. `owner`: the
    setting LEDGER_OWNER.
    """

    def __init__(self, url: str, *, identity: Identity, policy: RetryPolicy, stop: Stop, owner: str = "") -> None:
        self._url = url
        self._name = f"migrate-run {identity.run_id}"
        self._policy = policy
        self._stop = stop
        self._owner = owner
        self._handlers: list[NoticeHandler] = []
        self.defaults: str | None = None
        self.connection = self._open()
        self.pooled = self.connection.pooled

    def add_notice_handler(self, handler: NoticeHandler) -> None:
        """Call the handler with each notice, in the sessions that replace this one too."""
        self._handlers.append(handler)
        self.connection.add_notice_handler(handler)

    def reopen(self) -> None:
        """Replace the session by a new one; raises ConnectError."""
        self.connection.close()
        self.connection = open_first(self._open, self._stop)

    def close(self) -> None:
        """Close the session."""
        self.connection.close()

    def _open(self) -> OwnConnection:
        """Return a new session, which has read its defaults and where the ledger is, unless it may not read the defaults."""
        try:
            connection = self._connect(compose_work_probe)
            self.defaults = None if connection.pooled else take_defaults(connection)
        except ConnectError as error:
            if error.sqlstate != _NO_PRIVILEGE:
                raise
            connection = self._connect(None)
            self.defaults = None
        for handler in self._handlers:
            connection.add_notice_handler(handler)
        self.pid = connection.pgconn.backend_pid
        return connection

    def _connect(self, compose_probe: Callable[[OwnConnection], str] | None) -> OwnConnection:
        return connect(
            self._url,
            name=self._name,
            runs_files=True,
            lock_timeout_ms=self._policy.lock_timeout_ms,
            ledger_owner=self._owner,
            compose_probe=compose_probe,
        )
