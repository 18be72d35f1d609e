"""Events that answer a question completely: history, files, checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.runner.events.registry import EVENT_FORMAT, Event, event

if TYPE_CHECKING:
    from tasks.runner.events.status import StateCount, StatusRow
    from tasks.runner.events.values import (
        ActiveRun,
        CheckMade,
        EnvironmentKnown,
        HistoryRow,
        LockSession,
        OtherRecord,
        PreparedTransaction,
        StoredScript,
        UnfinishedAttempt,
    )


@event("history_read")
@dataclass(frozen=True, slots=True)
class HistoryRead(Event):
    """The newest rows of the log, newest first."""

    environment: str
    database: str
    rows: tuple[HistoryRow, ...]
    format: int = EVENT_FORMAT
    unknown: str = ""
    """Why the log is not known, if it may not be read."""
    total: int = 0
    """How many rows there are, whatever the limit."""
    locks: bool = False
    """Whether the rows are those with the times of locks."""


@event("blockers_read")
@dataclass(frozen=True, slots=True)
class BlockersRead(Event):
    """The sessions of a database that wait for locks, and those that block them; `at` is the time of the server."""

    environment: str
    database: str
    at: str
    sessions: tuple[LockSession, ...]
    prepared: tuple[PreparedTransaction, ...] = ()
    run: ActiveRun | None = None
    """The run in progress."""
    format: int = EVENT_FORMAT


@event("session_ended")
@dataclass(frozen=True, slots=True)
class SessionEnded(Event):
    """A session that blocked others was ended."""

    pid: int


@event("catalog_read")
@dataclass(frozen=True, slots=True)
class CatalogRead(Event):
    """The schema of a database, and the scripts that were applied to it, in the order of history.

    Each of the `objects` is a tuple of kind, name, name of the parent and definition.
    """

    environment: str
    database: str
    server_version: int
    objects: tuple[tuple[str, str, str, str], ...]
    scripts: tuple[StoredScript, ...]
    record: OtherRecord | None = None
    """What another tool recorded in this database."""
    unfinished: tuple[UnfinishedAttempt, ...] = ()
    """The attempts that committed a part of their file."""
    status: str = ""
    """What db.status reports: drifted, clean, or not compared; empty if drift is not watched."""
    has_ledger: bool = True
    elsewhere: tuple[str, ...] = ()
    """Without a ledger: the schemas, not on search_path, that have one."""
    replaced: str = ""
    """The names that were replaced, as the ledger keeps them."""
    format: int = EVENT_FORMAT
    unknown: str = ""
    """Which tables of the ledger may not be read, so that the scripts and unfinished attempts in them are not known."""
    derived: tuple[tuple[str, str, str, str], ...] = ()
    """The indexes and constraints that tables have because their parents have them, written like `objects`."""


@event("adoption_written")
@dataclass(frozen=True, slots=True)
class AdoptionWritten(Event):
    """The versions that were recorded, and the name of the table that keeps what another tool had recorded.

    Without versions, an empty ledger was created.
    """

    versions: tuple[str, ...]
    kept: str = ""
    duration_ms: int = 0


@event("files_read")
@dataclass(frozen=True, slots=True)
class FilesRead(Event):
    """The migrations of a checkout, with their checksums in the same order, and the version of the tool."""

    versions: tuple[str, ...]
    checksums: tuple[str, ...]
    tool_version: str
    ledger_format: int
    format: int = EVENT_FORMAT

    def __post_init__(self) -> None:
        """Raise ValueError if a version has no checksum, or the other way round."""
        if len(self.versions) != len(self.checksums):
            raise ValueError(f"{len(self.versions)} versions and {len(self.checksums)} checksums")


@event("outcome_read")
@dataclass(frozen=True, slots=True)
class OutcomeRead(Event):
    """How a run ended, according to the ledger's log.

    `outcome` is finished, failed, running, died (started, but its sessions are gone) or unknown (not in the log).
    """

    run_id: str
    outcome: str
    steps: tuple[str, ...]
    """The versions that the run finished."""
    error: str = ""
    sqlstate: str = ""


@event("probe_read")
@dataclass(frozen=True, slots=True)
class ProbeRead(Event):
    """The checks that were made from a machine near the database."""

    checks: tuple[CheckMade, ...]


@event("environments_listed")
@dataclass(frozen=True, slots=True)
class EnvironmentsListed(Event):
    """The environments."""

    environments: tuple[EnvironmentKnown, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """The status of one environment, or the `error` for which there is none."""

    environment: str
    error: str
    rows: tuple[StatusRow, ...]
    hint: str = ""
    """What to do about the error."""
    drifted: bool = False
    """Whether the schema differs from what the runs made."""
    run: ActiveRun | None = None
    """The run in progress."""
    unknown: str = ""
    """What the current user has no privilege to read."""
    counts: tuple[StateCount, ...] = ()
    """How many versions are in each state, whatever the limit."""


@event("statuses_read")
@dataclass(frozen=True, slots=True)
class StatusesRead(Event):
    """The status of several environments, side by side; `total` counts the versions before any limit."""

    environments: tuple[EnvironmentStatus, ...]
    total: int
    format: int = EVENT_FORMAT
