"""The answer to the question for the state of every version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.runner.events.findings import NOT_COMPARED, NOT_KNOWN, NOT_WRITTEN
from tasks.runner.events.registry import EVENT_FORMAT, Event, event

if TYPE_CHECKING:
    from tasks.runner.events.findings import Finding
    from tasks.runner.events.values import ActiveRun

_NO_FINDING = frozenset({NOT_COMPARED, NOT_KNOWN, NOT_WRITTEN})
CHECK_FOUND = 4
"""The exit code of a check that found something."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The state of a version, from the files and the ledger.

    `state` is one of applied, pending, late, failed (pending, and the last attempt failed), edited, missing, interrupted.
    """

    version: str
    state: str
    applied_at: str = ""
    applied_by: str = ""
    execution_time_ms: int | None = None
    note: str = ""
    failed: bool = False
    """Whether the last attempt failed."""


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many versions are in a state."""

    state: str
    count: int


@event("status_read")
@dataclass(frozen=True, slots=True)
class StatusRead(Event):
    """The state of every version, with the findings; `total` counts the rows before any limit.

    The applied versions come in the order of their history, then the others by name. A limit leaves out applied versions only.
    """

    environment: str
    database: str
    rows: tuple[StatusRow, ...]
    findings: tuple[Finding, ...]
    total: int
    format: int = EVENT_FORMAT
    server_version: int = 0
    """The server's version, as libpq reports it (150004); 0 from a tool that does not report it."""
    counts: tuple[StateCount, ...] = ()
    """How many versions are in each state, whatever the limit."""
    run: ActiveRun | None = None
    """The run in progress."""


def needs_attention(status: StatusRead) -> bool:
    """Return True if a status has findings, or versions that are not applied.

    That the schema was not compared, or that something may not be read, is no finding of a check.
    """
    return any(finding.kind not in _NO_FINDING for finding in status.findings) or any(
        row.state != "applied" for row in status.rows
    )
