"""The events of rehearsals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.runner.events import ErrorRaised, Event, event


@dataclass(frozen=True, slots=True)
class RehearsalFinding:
    """Something that is wrong with a migration.

    `what` is one of up_fails, down_fails, up_again_fails, no_down, not_restored, not_repeated, not_refused, predecessor_fails,
    late_fails, late_differs, up_fails_on_rows, down_fails_on_rows, rows_lost, crash_differs, empty, not_checked. A `mild` finding
    is shown, but does not change the exit code: the order of columns, which a down migration cannot restore, or a file without a
    statement. `not_checked` is no fault of the migration: the scratch server lacks something that it needs.
    """

    what: str
    message: str
    mild: bool = False
    hint: str = ""
    error: ErrorRaised | None = None
    diff: tuple[str, ...] = ()
    """The difference as text."""
    changes: tuple[Mapping[str, Any], ...] = ()
    """The difference as values."""


@event("stand_ins_used")
@dataclass(frozen=True, slots=True)
class StandInsUsed(Event):
    """The extensions of which a rehearsal used the embedded server's stand-in; what it proved applies to that."""

    extensions: tuple[str, ...]


@event("verify_started")
@dataclass(frozen=True, slots=True)
class VerifyStarted(Event):
    """The start of a verification: how many migrations, why these, on which server, and without which extensions."""

    count: int
    total: int
    reason: str
    server_version: int
    without: tuple[str, ...] = ()
    environment: str = ""
    environment_version: int = 0
    """The version of the environment's server; 0 if it is not known."""


@event("migration_verified")
@dataclass(frozen=True, slots=True)
class MigrationVerified(Event):
    """The result of verifying one migration: up, down and up again; None for what could not be tried.

    `late` is "" for a migration that is in order, "safe" if running it after all applied ones produces the same schema, else
    "differs". `unchecked` lists statements that were not run, and tables that got no rows, with the reason.
    """

    version: str
    works: bool
    restores: bool | None
    repeats: bool | None
    irreversible: str
    late: str
    with_data: bool
    findings: tuple[RehearsalFinding, ...]
    unchecked: tuple[str, ...]
    duration_ms: int
    deferred: bool = False
    """Whether it runs after the deployment, which makes it late for those behind it."""
    reused: bool = False
    """Whether this is the result of an earlier verification, since when nothing that it rests on has changed."""


@event("verify_finished")
@dataclass(frozen=True, slots=True)
class VerifyFinished(Event):
    """The end of a verification: how many migrations were verified, and how many of them have findings; mild ones apart.

    `reused` is how many were verified before and are unchanged.
    """

    count: int
    found: int
    mild: int
    duration_ms: int
    reused: int = 0


@event("crash_test_started")
@dataclass(frozen=True, slots=True)
class CrashTestStarted(Event):
    """The start of a crash test: how many migrations are killed and resumed, and why these."""

    count: int
    total: int
    reason: str
    server_version: int
    environment: str = ""
    environment_version: int = 0
    """The version of the environment's server; 0 if it is not known."""


@event("crash_resumed")
@dataclass(frozen=True, slots=True)
class CrashResumed(Event):
    """The result of killing a run after one statement and resuming it; `number` counts from 1 within the file."""

    version: str
    line: int
    text: str
    number: int
    total: int
    findings: tuple[RehearsalFinding, ...]


@event("crash_test_skipped")
@dataclass(frozen=True, slots=True)
class CrashTestSkipped(Event):
    """A migration whose run was not killed, with the reason, and a finding if the migration is at fault."""

    version: str
    reason: str
    findings: tuple[RehearsalFinding, ...] = ()


@event("crash_test_finished")
@dataclass(frozen=True, slots=True)
class CrashTestFinished(Event):
    """The end of a crash test: after how many statements runs were killed, and how many of these have findings."""

    count: int
    kills: int
    found: int
    duration_ms: int


@event("rollback_proved")
@dataclass(frozen=True, slots=True)
class RollbackProved(Event):
    """The proof that one migration can be rolled back, as if it had never been applied, though `later` ones are applied."""

    version: str
    later: tuple[str, ...]
    unchecked: tuple[str, ...] = ()
    """What was not tried, and why."""
