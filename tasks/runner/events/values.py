"""What events are made of: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


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

    `kind` is one of late, edited, missing, interrupted, broken, drifted; `refuses` says that a run will not start because of it.
    """

    kind: str
    version: str
    message: str
    refuses: bool = False
    hint: str = ""
    diff: str = ""


@dataclass(frozen=True, slots=True)
class StoredScript:
    """Hold what the ledger keeps of an applied version; the texts are None where it keeps none."""

    version: str
    checksum: str
    up_text: str | None
    down_text: str | None


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """Hold what another tool recorded: its table's schema and name, the tool, and its rows.

    Each row is version, name, moment of application (empty if unknown), checksum, and `true` if it counts as applied.
    """

    schema: str
    table: str
    tool: str
    rows: tuple[tuple[str, ...], ...]


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
class CheckMade:
    """Say of one thing that an environment needs whether it is there, and what to do where it is not."""

    name: str
    passed: bool
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentKnown:
    """Say of one environment how its database is reached, and how careful a run is there."""

    name: str
    reached: str
    guarded: bool
    alerts: int


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """Give the status of one environment; `error` says why there is none."""

    environment: str
    error: str
    rows: tuple[StatusRow, ...]
    hint: str = ""
    """What to do about the error."""
    drifted: bool = False
    """Whether the schema is another than the runs made it."""
