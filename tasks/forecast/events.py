"""The events of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.runner.events import ErrorRaised, Event, event
from tasks.runner.events.numbers import OpenTransaction, RelationLock


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
    needs_old_transactions_to_end: bool = False
    """Whether it can finish only when the older transactions of the database have ended."""
    briefly: tuple[RelationLock, ...] = ()
    """Stronger locks that it has only for a moment."""


@dataclass(frozen=True, slots=True)
class FileObserved(Event):
    """The observation of a migration begins, of the one with this number; without a version, all of them are observed.

    It is for a terminal: programs do not get it.
    """

    version: str
    number: int
    count: int


@event("forecast_started")
@dataclass(frozen=True, slots=True)
class ForecastStarted(Event):
    """The start of a forecast: how many migrations, why these, on which scratch server, and without which extensions.

    `not_known` are the reasons for what is known of no statement, as sentences.
    """

    count: int
    total: int
    reason: str
    server_version: int
    without: tuple[str, ...] = ()
    environment: str = ""
    environment_version: int = 0
    """The version of the environment's server; 0 if it is not known."""
    not_known: tuple[str, ...] = ()


@event("forecast_failed")
@dataclass(frozen=True, slots=True)
class ForecastFailed(Event):
    """A migration that fails on scratch, with the error; it and the `left_out` migrations after it have no forecast."""

    version: str
    error: ErrorRaised
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class RelationFacts:
    """What is known of a relation that a forecast names: its size in the environment, and the table of which it is a partition.

    `rows` and `bytes` are None if they are not known. `bytes` includes TOAST, and the indexes of a table.
    """

    relation: str
    rows: int | None = None
    bytes: int | None = None
    partition_of: str = ""
    index_of: str = ""
    """The table of an index."""


@event("forecast_finished")
@dataclass(frozen=True, slots=True)
class ForecastFinished(Event):
    """The end of a forecast: how many migrations and statements have one, and how many migrations failed."""

    count: int
    statements: int
    found: int
    duration_ms: int
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """How many statements have each verdict."""
    disk_bytes: int | None = None
    """The most disk that one statement needs while it runs."""
    free_bytes: int | None = None
    """The free disk of the environment's server, where that is known."""
    relations: tuple[RelationFacts, ...] = ()
    """The relations that the statements lock, rewrite or scan."""
    sessions: tuple[OpenTransaction, ...] = ()
    """The open transactions of the environment for which a statement would wait now."""


@event("forecast_not_made")
@dataclass(frozen=True, slots=True)
class ForecastNotMade(Event):
    """Before a run on a guarded environment no forecast could be made, for this reason; the run is not prevented."""

    environment: str
    reason: str
