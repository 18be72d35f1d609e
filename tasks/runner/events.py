"""What a run says: frozen values, to JSON by one function and back by one.

The report prints events and nothing else, so a run on another machine looks like one here: its events cross as JSON lines.
Times in milliseconds end in `_ms`, in seconds in `_s`; moments are ISO 8601 strings in UTC.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

CHECK_FOUND = 4
"""The exit code of a check that found something."""

EVENT_FORMAT = 1
"""The version of the events; the first event of a run carries it, and a reader refuses a newer one."""


@dataclass(frozen=True, slots=True)
class Session:
    """Describe a database session that holds something up."""

    pid: int
    user: str
    application: str
    client: str
    state: str
    since: str
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Name something about the files and the ledger that a person should know.

    `kind` is one of late, edited, missing, interrupted, broken; `refuses` says that a run will not start because of it.
    """

    kind: str
    version: str
    message: str
    refuses: bool = False
    hint: str = ""
    diff: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """Show one statement of a planned step."""

    line: int
    text: str
    segment: int


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Show one step of a plan: which file runs, in how many segments, and from which one on."""

    action: str
    version: str
    file: str
    segments: tuple[bool, ...]
    """One entry a segment: whether it runs in a transaction."""
    done: int
    statements: tuple[PlannedStatement, ...]


@dataclass(frozen=True, slots=True)
class StatusRow:
    """Say of one version what the files and the ledger know of it.

    `state` is one of applied, pending, late, edited, missing, interrupted.
    """

    version: str
    state: str
    applied_at: str = ""
    applied_by: str = ""
    execution_time_ms: int | None = None
    note: str = ""
    failed: bool = False
    """Whether the last try at it failed."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Show one row of the ledger's log."""

    id: int
    run_id: str
    version: str
    action: str
    outcome: str
    segments_done: int
    segments_total: int
    actor: str
    host: str
    git_revision: str
    git_dirty: bool
    tool_version: str
    sqlstate: str
    error: str
    at: str
    duration_ms: int | None


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
class StatusRead:
    """Give the state of every version, oldest first, with the findings; `total` counts rows before any limit."""

    kind: ClassVar[str] = "status_read"
    environment: str
    database: str
    rows: tuple[StatusRow, ...]
    findings: tuple[Finding, ...]
    total: int
    format: int = EVENT_FORMAT


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """Give the newest rows of the log, newest first."""

    kind: ClassVar[str] = "history_read"
    environment: str
    database: str
    rows: tuple[HistoryRow, ...]
    format: int = EVENT_FORMAT


@dataclass(frozen=True, slots=True)
class RepairProposed:
    """Show one change of the ledger that a person is asked about."""

    kind: ClassVar[str] = "repair_proposed"
    version: str
    change: str
    message: str
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Say that the process lives, though there is nothing to tell; for a reader whose connection may be frozen."""

    kind: ClassVar[str] = "heartbeat"


@dataclass(frozen=True, slots=True)
class FilesRead:
    """List the migrations that a checkout holds, with their checksums in the same order, and the tool beside them."""

    kind: ClassVar[str] = "files_read"
    versions: tuple[str, ...]
    checksums: tuple[str, ...]
    tool_version: str
    ledger_format: int
    format: int = EVENT_FORMAT


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Say that the connection to a machine broke while a run was under way there, which may go on."""

    kind: ClassVar[str] = "connection_lost"
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutcomeRead:
    """Say how a run ended, as the ledger's log knows it.

    `outcome` is finished, failed, running, died (it began and its sessions are gone), or unknown (the log has nothing of it).
    """

    kind: ClassVar[str] = "outcome_read"
    run_id: str
    outcome: str
    steps: tuple[str, ...]
    """The versions that the run finished."""
    error: str = ""
    sqlstate: str = ""


@dataclass(frozen=True, slots=True)
class CheckMade:
    """Say of one thing that an environment needs whether it is there, and what to do where it is not."""

    name: str
    passed: bool
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ProbeRead:
    """Give the checks that were made close to a database."""

    kind: ClassVar[str] = "probe_read"
    checks: tuple[CheckMade, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentKnown:
    """Say of one environment how its database is reached, and how careful a run is there."""

    name: str
    reached: str
    guarded: bool
    alerts: int


@dataclass(frozen=True, slots=True)
class EnvironmentsListed:
    """List the environments."""

    kind: ClassVar[str] = "environments_listed"
    environments: tuple[EnvironmentKnown, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """Give the status of one environment; `error` says why there is none."""

    environment: str
    error: str
    rows: tuple[StatusRow, ...]
    hint: str = ""
    """What to do about the error."""


@dataclass(frozen=True, slots=True)
class StatusesRead:
    """Give the status of several environments, side by side; `total` counts versions before any limit."""

    kind: ClassVar[str] = "statuses_read"
    environments: tuple[EnvironmentStatus, ...]
    total: int
    format: int = EVENT_FORMAT


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


Event = (
    RunStarted
    | FilesFound
    | Skipped
    | PlanMade
    | LockAwaited
    | StepStarted
    | StatementStarted
    | StatementFinished
    | Waiting
    | IndexAdvanced
    | Retried
    | NoticeRaised
    | StepFinished
    | StepFailed
    | RunFinished
    | StatusRead
    | HistoryRead
    | RepairProposed
    | Heartbeat
    | FilesRead
    | ConnectionLost
    | OutcomeRead
    | EnvironmentsListed
    | ProbeRead
    | StatusesRead
    | ErrorRaised
)

_CLASSES: dict[str, type[Event]] = {event.kind: event for event in get_args(Event)}


def to_json(event: Event) -> str:
    """Write an event as one line of JSON."""
    return json.dumps({"kind": event.kind, **asdict(event)}, ensure_ascii=False)


def from_json(line: str) -> Event:
    """Read an event from its JSON line; raises ValueError for anything else, and ignores fields it does not know."""
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {line[:80]!r}") from error
    if not isinstance(data, dict) or str(data.get("kind")) not in _CLASSES:
        raise ValueError(f"no event: {line[:80]!r}")
    event: Event = _build(_CLASSES[data["kind"]], data)
    return event


@cache
def _read_hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _build(hint: Any, value: Any) -> Any:
    """Make the value that a type hint describes out of plain JSON."""
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{hint.__name__} expected, got {value!r}")
        hints = _read_hints(hint)
        try:
            return hint(**{f.name: _build(hints[f.name], value[f.name]) for f in fields(hint) if f.name in value})
        except TypeError as error:
            raise ValueError(f"{hint.__name__}: {error}") from error
    if get_origin(hint) is tuple:
        return tuple(_build(get_args(hint)[0], item) for item in value)
    if get_origin(hint) is UnionType:
        if value is None:
            return None
        return _build(next(kind for kind in get_args(hint) if kind is not NoneType), value)
    return value


def needs_attention(status: StatusRead) -> bool:
    """Tell whether a status holds anything but applied versions."""
    return bool(status.findings) or any(row.state != "applied" for row in status.rows)
