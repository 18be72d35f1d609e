"""The progress of a run as a value: the current statement, and how long it has been waiting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tasks.runner.events import (
    ErrorRaised,
    Event,
    HeldBack,
    LockAwaited,
    Retried,
    RunStarted,
    Session,
    StatementFinished,
    StatementStarted,
    StepFinished,
    StepStarted,
    Waiting,
)


@dataclass(frozen=True, slots=True)
class LockWait:
    """A wait for a lock and its blockers; `since` is a time of a monotonic clock, in seconds."""

    since: float
    blockers: tuple[Session, ...]
    statement: int = 0
    """The number of the statement that waits; 0 if the run waits for the lock of runs."""
    stranger: bool = False
    """Whether the lock of runs is taken by a session that is not one of a run."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run has got."""

    run_id: str = ""
    version: str = ""
    number: int = 0
    line: int = 0
    statement: str = ""
    wait: LockWait | None = None
    error: ErrorRaised | None = None


def advance(progress: RunProgress, event: Event, now: float) -> RunProgress:
    """Return the progress after an event.

    All attempts of a transaction count as one wait: it ends when the statement that waited is done, not when it is retried.
    """
    if isinstance(event, RunStarted):
        return replace(progress, run_id=event.run_id)
    if isinstance(event, StepStarted):
        return replace(progress, version=event.version, number=0, line=0, statement="", wait=None)
    if isinstance(event, StatementStarted):
        return replace(progress, number=event.number, line=event.line, statement=event.text)
    if isinstance(event, ErrorRaised):
        return replace(progress, error=event)
    return replace(progress, wait=_update_wait(progress, event, now))


def count_waited_s(progress: RunProgress, now: float) -> float:
    """Return for how many seconds a run has been waiting for a lock; 0 if it does not wait."""
    return now - progress.wait.since if progress.wait else 0.0


def _update_wait(progress: RunProgress, event: Event, now: float) -> LockWait | None:
    wait = progress.wait
    if isinstance(event, LockAwaited):
        blockers = (event.holder,) if event.holder else ()
        return LockWait(now - event.seconds_s, blockers, stranger=event.stranger)
    if isinstance(event, Waiting) and event.blockers:
        return _extend_wait(wait, event.blockers, progress.number, now - event.seconds_s)
    if isinstance(event, HeldBack):
        return _extend_wait(wait, event.blockers, progress.number, now - event.seconds_s)
    if isinstance(event, Retried):
        return _extend_wait(wait, event.blockers, progress.number, now)
    is_over = isinstance(event, StepFinished) or (isinstance(event, Waiting | StatementFinished) and _is_past(progress))
    return None if is_over else wait


def _extend_wait(wait: LockWait | None, blockers: tuple[Session, ...], statement: int, since: float) -> LockWait:
    """Return the continued wait, or a new one."""
    if wait is None:
        return LockWait(since, blockers, statement)
    return LockWait(wait.since, blockers or wait.blockers, max(wait.statement, statement))


def _is_past(progress: RunProgress) -> bool:
    """Return True if the running statement is the one that waited, or a later one."""
    return progress.wait is not None and progress.number >= progress.wait.statement
