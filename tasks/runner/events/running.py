"""What a run says while it goes on, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.runner.events.values import Finding, PlannedStep, Session

EVENT_FORMAT = 1
"""The version of the events; the first event of a run carries it, and a reader refuses a newer one."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Open the stream of a run."""

    kind: ClassVar[str] = "run_started"
    run_id: str
    action: str
    environment: str
    database: str
    actor: str
    format: int = EVENT_FORMAT


@dataclass(frozen=True, slots=True)
class FilesFound:
    """Say how many files there are: migrations, or seeds."""

    kind: ClassVar[str] = "files_found"
    count: int
    what: str = "migration"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Name the versions that need nothing because they are applied."""

    kind: ClassVar[str] = "skipped"
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanMade:
    """Show what will be done, and what was noticed while planning."""

    kind: ClassVar[str] = "plan_made"
    action: str
    dry_run: bool
    steps: tuple[PlannedStep, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """Say that another run holds the lock, and who runs it."""

    kind: ClassVar[str] = "lock_awaited"
    holder: Session | None
    seconds_s: float


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Say that a step of the plan begins; `position` counts from 1."""

    kind: ClassVar[str] = "step_started"
    action: str
    version: str
    position: int
    total: int
    statements: int
    done: int = 0
    """Statements of segments that an earlier run finished; more than 0 means resumed."""


@dataclass(frozen=True, slots=True)
class StatementStarted:
    """Say which statement runs now; `number` counts from 1 within the file."""

    kind: ClassVar[str] = "statement_started"
    version: str
    line: int
    text: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class StatementFinished:
    """Say that the statement of that number is done, though its transaction may still be open."""

    kind: ClassVar[str] = "statement_finished"
    version: str
    line: int
    number: int
    total: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Say for whom the running statement waits (or nobody, when it is only slow)."""

    kind: ClassVar[str] = "waiting"
    version: str
    line: int
    seconds_s: float
    blockers: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class IndexAdvanced:
    """Say how far the running index build is; `percent` is of the phase, -1 when the server does not know."""

    kind: ClassVar[str] = "index_advanced"
    version: str
    line: int
    phase: str
    percent: int


@dataclass(frozen=True, slots=True)
class Retried:
    """Say that a transaction was rolled back because of a lock and will be tried whole again."""

    kind: ClassVar[str] = "retried"
    version: str
    line: int
    attempt: int
    attempts: int
    reason: str
    pause_s: float
    blockers: tuple[Session, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeRaised:
    """Pass on what the server said beside its answer (RAISE NOTICE, WARNING)."""

    kind: ClassVar[str] = "notice_raised"
    version: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """Say that a step is done and recorded."""

    kind: ClassVar[str] = "step_finished"
    action: str
    version: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class StepFailed:
    """Say that a step failed; the error that follows tells the rest."""

    kind: ClassVar[str] = "step_failed"
    action: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Close the stream of a run that did what it should; `steps` is how many steps it did."""

    kind: ClassVar[str] = "run_finished"
    action: str
    steps: int
    duration_ms: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SchemaWritten:
    """Say that the file which shows the schema was written, or the problem with it."""

    kind: ClassVar[str] = "schema_written"
    path: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Say that the process lives, though there is nothing to tell; for a reader whose connection may be frozen."""

    kind: ClassVar[str] = "heartbeat"


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Say that the connection to a machine broke while a run was under way there, which may go on."""

    kind: ClassVar[str] = "connection_lost"
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Tell what went wrong, where, what stands in the database, and what to do next."""

    kind: ClassVar[str] = "error_raised"
    message: str
    hint: str
    state: str
    file: str
    line: int
    column: int
    source: str
    sqlstate: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RepairProposed:
    """Show one change of the ledger that a person is asked about."""

    kind: ClassVar[str] = "repair_proposed"
    version: str
    change: str
    message: str
    diff: str = ""
