"""What rehearsals answer: frozen values, which the report prints like any event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.runner.events import ErrorRaised


@dataclass(frozen=True, slots=True)
class Found:
    """Name something that a rehearsal found.

    `what` is one of up_fails, down_fails, up_again_fails, no_down, not_restored, not_repeated, not_refused, predecessor_fails,
    late_fails, late_differs, up_fails_on_rows, down_fails_on_rows, rows_lost, crash_differs. A `mild` finding is told, and does
    not count: the order of columns, which no down can restore.
    """

    what: str
    message: str
    mild: bool = False
    hint: str = ""
    error: ErrorRaised | None = None
    diff: tuple[str, ...] = ()
    """The difference as people read it."""
    changes: tuple[Mapping[str, Any], ...] = ()
    """The same as values."""


@dataclass(frozen=True, slots=True)
class VerifyStarted:
    """Say how many migrations are verified, why these, on which server, and without which extensions."""

    kind: ClassVar[str] = "verify_started"
    count: int
    total: int
    reason: str
    server_version: int
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MigrationVerified:
    """Tell what came of one migration: up, down and up again; None is for what could not be tried.

    `late` is "" for a file in its turn, "safe" where running it after all others gives the same schema, else "differs".
    `unchecked` lists statements that were not run, and tables that got no rows, with the reason.
    """

    kind: ClassVar[str] = "migration_verified"
    version: str
    works: bool
    restores: bool | None
    repeats: bool | None
    irreversible: str
    late: str
    with_data: bool
    findings: tuple[Found, ...]
    unchecked: tuple[str, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True)
class VerifyFinished:
    """Sum up: how many migrations were verified, and in how many of them something was found; mild findings do not count."""

    kind: ClassVar[str] = "verify_finished"
    count: int
    found: int
    mild: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class CrashTestStarted:
    """Say how many migrations are killed and resumed, and why these."""

    kind: ClassVar[str] = "crash_test_started"
    count: int
    total: int
    reason: str
    server_version: int


@dataclass(frozen=True, slots=True)
class CrashResumed:
    """Tell what came of killing a run after one statement and resuming it; `number` counts from 1 within the file."""

    kind: ClassVar[str] = "crash_resumed"
    version: str
    line: int
    text: str
    number: int
    total: int
    findings: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class CrashTestSkipped:
    """Name a migration that was not killed, and why; with a finding if that is its own fault."""

    kind: ClassVar[str] = "crash_test_skipped"
    version: str
    reason: str
    findings: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class CrashTestFinished:
    """Sum up: at how many statements runs were killed, and after how many of them something differed."""

    kind: ClassVar[str] = "crash_test_finished"
    count: int
    kills: int
    found: int
    duration_ms: int
