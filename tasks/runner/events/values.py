"""The parts of events: frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """A database session that blocks another."""

    pid: int
    user: str
    application: str
    client: str
    state: str
    since: str
    query: str


@dataclass(frozen=True, slots=True)
class LockSession:
    """A session that waits for a lock, or blocks one that does."""

    session: Session
    started: str
    """When the session was opened, to the microsecond: the server uses the number of a process again."""
    waits_for: tuple[int, ...] = ()
    """The processes that block it; 0 is a prepared transaction."""
    mode: str = ""
    """The mode of the lock that it waits for."""
    target: str = ""
    """What that lock is on."""
    waits_since: str = ""
    own: bool = False
    """Whether its role is that of the command, which may then end it."""


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """A prepared transaction that blocks the `blocked` processes: it has no session, and stays after a restart."""

    name: str
    owner: str
    since: str
    blocked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StoredScript:
    """The stored scripts of an applied version; a text is None if the ledger has none that may run, with the `reason`."""

    version: str
    checksum: str
    up_text: str | None
    down_text: str | None
    vouched: bool = False
    """Whether the texts are those for which the log vouches. An older version of this tool sends all."""
    reason: str = ""
    """Why the stored up text may not run; empty if it may, or if there is none."""
    size: int | None = None
    """The bytes of the up file, if its text was not stored because of these."""


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """The history that another tool recorded: the schema and name of its table, the tool, and its rows.

    Each row is version, name, time of application (empty if unknown), checksum, and `true` if it counts as applied,
    or `baseline` if all versions up to it do. `unread`: why the rows could not be read.
    """

    schema: str
    table: str
    tool: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    unread: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement of a planned step."""

    line: int
    text: str
    """Its first line."""
    segment: int
    sql: str = ""
    """The whole statement, if it was asked for; passwords are masked in both."""
    copied: int = 0
    """The number of lines of data after a COPY … FROM stdin."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a plan: the file, its segments, and how many of them are already done."""

    action: str
    version: str
    file: str
    segments: tuple[bool, ...]
    """For each segment, whether it runs in a transaction."""
    done: int
    statements: tuple[PlannedStatement, ...]
    more: int = 0
    """How many further statements a large file has."""


@dataclass(frozen=True, slots=True)
class StatementLocks:
    """How long a statement waited for locks and had them, in one attempt, beside the forecast that was shown before.

    `held_ms` is from the end of its wait to the end of the transaction, None if the transaction was open when this was recorded.
    `sqlstate` is that of the error that ended the attempt at this statement. `verdict` is empty without a forecast.
    """

    number: int
    line: int
    attempt: int
    waited_ms: int
    held_ms: int | None
    sqlstate: str = ""
    verdict: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row of the ledger's log."""

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
    locks: tuple[StatementLocks, ...] = ()
    """How long its statements waited for locks and had them, if that was asked for."""
    up_size: int | None = None
    """The bytes of the up file, if its text was not stored because of these."""
    down_size: int | None = None
    """Those of the down file."""


@dataclass(frozen=True, slots=True)
class CheckMade:
    """A check of one thing that an environment needs, with a hint if it failed."""

    name: str
    passed: bool
    found: str
    hint: str = ""
    warning: bool = False
    """Whether a check that passed found a danger, with a hint."""


@dataclass(frozen=True, slots=True)
class EnvironmentKnown:
    """An environment: how its database is reached, whether it is guarded, and the number of its alert URLs."""

    name: str
    reached: str
    guarded: bool
    alerts: int


@dataclass(frozen=True, slots=True)
class UnfinishedAttempt:
    """An attempt that committed the first segments of a file: the segments, and the checksum of their statements."""

    version: str
    action: str
    done: int
    total: int
    checksum: str


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run in progress: who started it, since when (UTC), its current migration if the log names it, and its statement.

    Without an `action`, the log could not be read, and `actor` is the role; without a `run_id`, a session that is not one of a
    run has the lock of runs.
    """

    run_id: str
    action: str
    actor: str
    host: str
    since: str
    version: str = ""
    pid: int = 0
    """The process of the session with the lock."""
    statement: str = ""
    """What the server runs for it, without secrets, and since when."""
    statement_since: str = ""
    blocked_by: tuple[int, ...] = ()
    """The processes that this statement waits for."""
