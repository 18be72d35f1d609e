"""The settings and the context of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tasks.runner.database.activity import Watcher
from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session_settings import SessionState
from tasks.runner.events import StatementVerdict
from tasks.runner.execution.failure_log import FailureLog
from tasks.runner.execution.lock_times import LockTimes
from tasks.runner.execution.work_session import WorkSession
from tasks.runner.identity import Identity
from tasks.runner.ledger.environment_label import Belonging
from tasks.runner.ledger.writing import Recorder
from tasks.runner.parsing import Script
from tasks.runner.retries import RetryPolicy
from tasks.runner.settings import KEEP_TEXT
from tasks.runner.signals import Stop


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run: its database, who runs it, and how it waits."""

    url: str
    identity: Identity
    stop: Stop
    policy: RetryPolicy
    belonging: Belonging
    migrations_dir: Path
    watch_drift: bool
    ledger_owner: str = ""
    ledger_readers: tuple[str, ...] = ()
    forecast: tuple[StatementVerdict, ...] = ()
    """What was shown before the run, for the log."""
    keep_text: int = KEEP_TEXT
    """The bytes of a file up to which its text is stored."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The sessions and the recorder of a run that has the lock."""

    url: str
    session: WorkSession
    recorder: Recorder
    lock: RunLock
    watcher: Watcher
    failures: FailureLog
    policy: RetryPolicy
    stop: Stop
    times: LockTimes = field(default_factory=LockTimes)
    is_set: bool = False
    """Whether the session has the settings for a run already."""

    @property
    def connection(self) -> psycopg.Connection:
        """Return the connection that runs the files; it changes between files."""
        return self.session.connection

    @property
    def pooled(self) -> bool:
        """Return True if the connection goes through a pooler."""
        return self.session.pooled

    def find_lock_timeout_ms(self, script: Script | None = None) -> int:
        """Return how long the statements of a script wait for a lock: what the file sets, or the setting."""
        return (script.lock_timeout_ms if script else None) or self.policy.lock_timeout_ms

    def describe_session(self, script: Script | None = None, *, synchronous: bool = True) -> SessionState:
        """Return the state that the session needs for a script."""
        name = f"migrate-run {self.recorder.identity.run_id}"
        version, path = self.connection.info.server_version, self.session.connection.path
        return SessionState(name, self.pooled, version, self.find_lock_timeout_ms(script), path, synchronous)
