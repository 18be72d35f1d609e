"""The log of a failure, written from a session that no file has touched."""

from __future__ import annotations

from contextlib import suppress

import psycopg

from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import connect
from tasks.runner.errors import LockLostError, RunnerError
from tasks.runner.ledger.writing import Entry, Recorder

_LIMIT_S = 2.0
"""How long each step of logging a failure may delay its report."""


class FailureLog:
    """The writer of failures to the log of a run.

    The session of the files may be lost, or have another role or a default that makes it read-only; so this opens a session of
    its own. Where the server admits none, or where the file has changed the defaults of sessions too, the session of the files is
    used, which the caller has restored. What cannot be logged in time is not logged, because the report of the failure does not
    depend on it; nothing is logged once the lock is lost.
    """

    def __init__(self, url: str, recorder: Recorder, lock: RunLock) -> None:
        self._url = url
        self._recorder = recorder
        self._lock = lock
        self._connection: psycopg.Connection | None = None
        self._refused = False

    def write(self, entry: Entry) -> None:
        """Append a row to the log, if that is possible."""
        try:
            self._lock.check(limit_s=_LIMIT_S)
        except LockLostError:
            return
        if self._write_separately(entry):
            return
        with suppress(psycopg.Error):
            self._recorder.on(self._recorder.connection, limit_s=_LIMIT_S).log(entry)

    def close(self) -> None:
        """Close the session."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write_separately(self, entry: Entry) -> bool:
        """Append a row from a session of its own, and return whether that succeeded."""
        if self._refused:
            return False
        try:
            if self._connection is None:
                name = f"migrate-log {self._recorder.identity.run_id}"
                self._connection = connect(self._url, name=name, limit_s=_LIMIT_S)
            self._recorder.on(self._connection, limit_s=_LIMIT_S).log(entry)
        except (RunnerError, psycopg.Error):
            self._refused = True
        return not self._refused
