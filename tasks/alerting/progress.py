"""What a run has said so far, as a value: where it is, and for how long it has been waiting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tasks.runner.events import (
    ErrorRaised,
    Event,
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
    """Say since when a run has been held up, and by whom; `since` is a moment of a monotonic clock, in seconds."""

    since: float
    blockers: tuple[Session, ...]
    statement: int = 0
    """The number of the statement that waits; 0 where the run waits for another run."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Hold how far a run has come."""

    run_id: str = ""
    version: str = ""
    number: int = 0
    line: int = 0
    statement: str = ""
    hold: LockWait | None = None
    error: ErrorRaised | None = None


def advance(progress: RunProgress, event: Event, now: float) -> RunProgress:
    """Give the course after an event. Pure.

    Tries of one transaction count together: a wait ends when the statement that waited is done, not when it is given up.
    """
    if isinstance(event, RunStarted):
        return replace(progress, run_id=event.run_id)
    if isinstance(event, StepStarted):
        return replace(progress, version=event.version, number=0, line=0, statement="", hold=None)
    if isinstance(event, StatementStarted):
        return replace(progress, number=event.number, line=event.line, statement=event.text)
    if isinstance(event, ErrorRaised):
        return replace(progress, error=event)
    return replace(progress, hold=_follow_hold(progress, event, now))


def count_held_s(progress: RunProgress, now: float) -> float:
    """Count for how many seconds a run has been waiting for a lock; 0 where it does not wait."""
    return now - progress.hold.since if progress.hold else 0.0


def _follow_hold(progress: RunProgress, event: Event, now: float) -> LockWait | None:
    hold = progress.hold
    if isinstance(event, LockAwaited):
        blockers = (event.holder,) if event.holder else ()
        return LockWait(now - event.seconds_s, blockers)
    if isinstance(event, Waiting) and event.blockers:
        return _hold_on(hold, event.blockers, progress.number, now - event.seconds_s)
    if isinstance(event, Retried):
        return _hold_on(hold, event.blockers, progress.number, now)
    is_over = isinstance(event, StepFinished) or (isinstance(event, Waiting | StatementFinished) and _is_past(progress))
    return None if is_over else hold


def _hold_on(hold: LockWait | None, blockers: tuple[Session, ...], statement: int, since: float) -> LockWait:
    """Go on with the wait that is under way, or begin one."""
    if hold is None:
        return LockWait(since, blockers, statement)
    return LockWait(hold.since, blockers or hold.blockers, max(hold.statement, statement))


def _is_past(progress: RunProgress) -> bool:
    """Tell whether the statement that runs is the one that waited, or a later one."""
    return progress.hold is not None and progress.number >= progress.hold.statement
