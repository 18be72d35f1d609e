"""The events of rehearsals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.runner.events import ErrorRaised


@dataclass(frozen=True, slots=True)
class RehearsalFinding:
    """Something that is wrong with a migration.

    `what` is one of up_fails, down_fails, up_again_fails, no_down, not_restored, not_repeated, not_refused, predecessor_fails,
    late_fails, late_differs, up_fails_on_rows, down_fails_on_rows, rows_lost, crash_differs. A `mild` finding is shown, but does
    not change the exit code: the order of columns, which a down migration cannot restore.
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


@dataclass(frozen=True, slots=True)
class VerifyStarted:
    """The start of a verification: how many migrations, why these, on which server, and without which extensions."""

    kind: ClassVar[str] = "verify_started"
    count: int
    total: int
    reason: str
    server_version: int
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MigrationVerified:
    """The result of verifying one migration: up, down and up again; None for what could not be tried.

    `late` is "" for a migration that is in order, "safe" if running it after all applied ones produces the same schema, else
    "differs". `unchecked` lists statements that were not run, and tables that got no rows, with the reason.
    """

    kind: ClassVar[str] = "migration_verified"
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


@dataclass(frozen=True, slots=True)
class VerifyFinished:
    """The end of a verification: how many migrations were verified, and how many of them have findings; mild ones apart."""

    kind: ClassVar[str] = "verify_finished"
    count: int
    found: int
    mild: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class CrashTestStarted:
    """The start of a crash test: how many migrations are killed and resumed, and why these."""

    kind: ClassVar[str] = "crash_test_started"
    count: int
    total: int
    reason: str
    server_version: int


@dataclass(frozen=True, slots=True)
class CrashResumed:
    """The result of killing a run after one statement and resuming it; `number` counts from 1 within the file."""

    kind: ClassVar[str] = "crash_resumed"
    version: str
    line: int
    text: str
    number: int
    total: int
    findings: tuple[RehearsalFinding, ...]


@dataclass(frozen=True, slots=True)
class CrashTestSkipped:
    """A migration whose run was not killed, with the reason, and a finding if the migration is at fault."""

    kind: ClassVar[str] = "crash_test_skipped"
    version: str
    reason: str
    findings: tuple[RehearsalFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class CrashTestFinished:
    """The end of a crash test: after how many statements runs were killed, and how many of these have findings."""

    kind: ClassVar[str] = "crash_test_finished"
    count: int
    kills: int
    found: int
    duration_ms: int
