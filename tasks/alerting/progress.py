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
class Hold:
    """Say since when a run has been held up, and by whom; `since` is a moment of a monotonic clock, in seconds."""

    since: float
    blockers: tuple[Session, ...]
    statement: int = 0
    """The number of the statement that waits; 0 where the run waits for another run."""


@dataclass(frozen=True, slots=True)
class Course:
    """Hold how far a run has come."""

    run_id: str = ""
    version: str = ""
    number: int = 0
    line: int = 0
    statement: str = ""
    hold: Hold | None = None
    error: ErrorRaised | None = None


def advance(course: Course, event: Event, now: float) -> Course:
    """Give the course after an event. Pure.

    Tries of one transaction count together: a wait ends when the statement that waited is done, not when it is given up.
    """
    if isinstance(event, RunStarted):
        return replace(course, run_id=event.run_id)
    if isinstance(event, StepStarted):
        return replace(course, version=event.version, number=0, line=0, statement="", hold=None)
    if isinstance(event, StatementStarted):
        return replace(course, number=event.number, line=event.line, statement=event.text)
    if isinstance(event, ErrorRaised):
        return replace(course, error=event)
    return replace(course, hold=_follow_hold(course, event, now))


def count_held_s(course: Course, now: float) -> float:
    """Count for how many seconds a run has been waiting for a lock; 0 where it does not wait."""
    return now - course.hold.since if course.hold else 0.0


def _follow_hold(course: Course, event: Event, now: float) -> Hold | None:
    hold = course.hold
    if isinstance(event, LockAwaited):
        blockers = (event.holder,) if event.holder else ()
        return Hold(now - event.seconds_s, blockers)
    if isinstance(event, Waiting) and event.blockers:
        return _hold_on(hold, event.blockers, course.number, now - event.seconds_s)
    if isinstance(event, Retried):
        return _hold_on(hold, event.blockers, course.number, now)
    is_over = isinstance(event, StepFinished) or (isinstance(event, Waiting | StatementFinished) and _is_past(course))
    return None if is_over else hold


def _hold_on(hold: Hold | None, blockers: tuple[Session, ...], statement: int, since: float) -> Hold:
    """Go on with the wait that is under way, or begin one."""
    if hold is None:
        return Hold(since, blockers, statement)
    return Hold(hold.since, blockers or hold.blockers, max(hold.statement, statement))


def _is_past(course: Course) -> bool:
    """Tell whether the statement that runs is the one that waited, or a later one."""
    return course.hold is not None and course.number >= course.hold.statement
