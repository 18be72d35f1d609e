"""What is answered to a question: one event holds it whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tasks.runner.events.running import EVENT_FORMAT
from tasks.runner.events.values import (
    CheckMade,
    EnvironmentKnown,
    EnvironmentStatus,
    Finding,
    HistoryRow,
    OtherRecord,
    StatusRow,
    StoredScript,
)

CHECK_FOUND = 4
"""The exit code of a check that found something."""


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
class CatalogRead:
    """Give the schema of a database, and the texts that were applied to it in the order of their application.

    Each of the `objects` is its kind, its name, its parent's name and its definition.
    """

    kind: ClassVar[str] = "catalog_read"
    environment: str
    database: str
    server_version: int
    objects: tuple[tuple[str, ...], ...]
    scripts: tuple[StoredScript, ...]
    record: OtherRecord | None = None
    """What another tool recorded here."""
    format: int = EVENT_FORMAT


@dataclass(frozen=True, slots=True)
class AdoptionWritten:
    """Say which versions were recorded, and under which name the contents of another tool's table are kept."""

    kind: ClassVar[str] = "adoption_written"
    versions: tuple[str, ...]
    kept: str = ""
    duration_ms: int = 0


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
class ProbeRead:
    """Give the checks that were made close to a database."""

    kind: ClassVar[str] = "probe_read"
    checks: tuple[CheckMade, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentsListed:
    """List the environments."""

    kind: ClassVar[str] = "environments_listed"
    environments: tuple[EnvironmentKnown, ...]


@dataclass(frozen=True, slots=True)
class StatusesRead:
    """Give the status of several environments, side by side; `total` counts versions before any limit."""

    kind: ClassVar[str] = "statuses_read"
    environments: tuple[EnvironmentStatus, ...]
    total: int
    format: int = EVENT_FORMAT


def needs_attention(status: StatusRead) -> bool:
    """Tell whether a status holds anything but applied versions."""
    return bool(status.findings) or any(row.state != "applied" for row in status.rows)
