"""The events of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.runner.events import Event, event
from tasks.runner.events.numbers import RelationLock


@event("statement_forecast")
@dataclass(frozen=True, slots=True)
class StatementForecast(Event):
    """What one statement of a pending migration will do to an environment.

    `verdict` is one of harmless, brief, blocks_writes, blocks_all, loses_rows; `source` is observed or known. `waits_for` are the
    sessions of the environment whose open transactions are in the way now.
    """

    version: str
    line: int
    statement: str
    transactional: bool
    locks: tuple[RelationLock, ...]
    held_to: int | None
    rewrites: tuple[str, ...]
    scans: tuple[str, ...]
    keeps_out: Mapping[str, tuple[str, ...]]
    verdict: str
    seconds: tuple[float, float] | None
    rows_lost: int | None
    waits_for: tuple[int, ...]
    source: str
    not_known: tuple[str, ...]
    blocked_seconds: tuple[float, float] | None = None
    """How long what it keeps out is kept out: from the lock to the end of the transaction. `seconds` is its own duration."""
    number: int = 0
    """Its number in the file, from 1."""
    disk_bytes: int | None = None
    """The disk that it needs while it runs."""
