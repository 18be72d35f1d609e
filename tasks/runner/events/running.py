"""Events between the start and the end of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.runner.events.registry import Event, event

if TYPE_CHECKING:
    from tasks.runner.events.values import ActiveRun, Session


@event("lock_awaited")
@dataclass(frozen=True, slots=True)
class LockAwaited(Event):
    """The run waits for the lock, which another session has."""

    holder: Session | None
    seconds_s: float
    run: ActiveRun | None = None
    """The run of that session, if its log can be read."""
    stranger: bool = False
    """Whether that session is not named as one of a run."""


@event("step_started")
@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step of the plan starts; `position` counts from 1."""

    action: str
    version: str
    position: int
    total: int
    statements: int
    done: int = 0
    """The number of statements that an earlier run committed; more than 0 means that the step is resumed."""


@event("statement_started")
@dataclass(frozen=True, slots=True)
class StatementStarted(Event):
    """A statement starts; `number` counts from 1 within the file."""

    version: str
    line: int
    text: str
    number: int
    total: int


@event("statement_finished")
@dataclass(frozen=True, slots=True)
class StatementFinished(Event):
    """A statement finished; its transaction may still be open."""

    version: str
    line: int
    number: int
    total: int
    duration_ms: int


@event("waiting")
@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """The running statement waits for other sessions, or is only slow if `blockers` is empty."""

    version: str
    line: int
    seconds_s: float
    blockers: tuple[Session, ...]


@event("index_advanced")
@dataclass(frozen=True, slots=True)
class IndexAdvanced(Event):
    """The progress of an index build; `percent` is that of the phase, or -1 if the server does not report it."""

    version: str
    line: int
    phase: str
    percent: int


@event("retried")
@dataclass(frozen=True, slots=True)
class Retried(Event):
    """A transaction was rolled back because of a lock, and will be retried from its start."""

    version: str
    line: int
    attempt: int
    attempts: int
    reason: str
    pause_s: float
    blockers: tuple[Session, ...] = ()
    holds_back: bool = False
    """Whether it is retried when the transactions that blocked it have ended, rather than after a pause."""


@event("notice_raised")
@dataclass(frozen=True, slots=True)
class NoticeRaised(Event):
    """A notice or warning of the server, such as from RAISE NOTICE."""

    version: str
    severity: str
    message: str


@event("step_finished")
@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step is done and recorded."""

    action: str
    version: str
    duration_ms: int


@event("step_failed")
@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step failed; the ErrorRaised that follows has the details."""

    action: str
    version: str
    message: str


@event("sql_written")
@dataclass(frozen=True, slots=True)
class SqlWritten(Event):
    """The script of a plan for psql; `file` is where it was written, and `sql` is empty then."""

    sql: str
    steps: int
    file: str = ""


@event("schema_written")
@dataclass(frozen=True, slots=True)
class SchemaWritten(Event):
    """The schema file was written, or could not be because of `problem`."""

    path: str
    problem: str = ""
    hint: str = ""
    """What to do about the problem."""
    differences: tuple[str, ...] = ()
    """What the database has, or lacks, outside the migrations: it is not in the file."""
    unchecked: tuple[str, ...] = ()
    """The statements that could not be replayed: what they make was taken from the database."""
    unchanged: bool = False
    """Whether the file contained this text already."""
    action: str = ""
    """The operation after which it was written, if there was one."""


@event("schema_checked")
@dataclass(frozen=True, slots=True)
class SchemaChecked(Event):
    """The schema file was compared with the migration files; `differences` are lines of a diff, none if it is up to date."""

    path: str
    differences: tuple[str, ...] = ()


@event("heartbeat")
@dataclass(frozen=True, slots=True)
class Heartbeat(Event):
    """The process is alive but has nothing to report; for a reader whose connection may be frozen."""


@event("connection_lost")
@dataclass(frozen=True, slots=True)
class ConnectionLost(Event):
    """The connection to a machine was lost during a run, which may still be running on the machine."""

    run_id: str
    reason: str


@event("error_raised")
@dataclass(frozen=True, slots=True)
class ErrorRaised(Event):
    """An error: what happened, where, the state of the database, and what to do next."""

    message: str
    hint: str
    state: str
    file: str
    line: int
    column: int
    source: str
    sqlstate: str
    exit_code: int


@event("repair_proposed")
@dataclass(frozen=True, slots=True)
class RepairProposed(Event):
    """A change of the ledger that needs confirmation; `digest` is that of what it changes, and of what it writes."""

    version: str
    change: str
    message: str
    diff: str = ""
    digest: str = ""
