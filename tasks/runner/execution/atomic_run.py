"""Execution of a plan in one transaction: all of its steps with their rows in the ledger, or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import psycopg

from tasks.runner.clock import count_ms
from tasks.runner.database.session import roll_back
from tasks.runner.errors import Interruption, LockLostError, Place, RefusedError, RunnerError
from tasks.runner.events import Event, StepFailed, StepFinished, StepStarted
from tasks.runner.execution.hold_back import HoldBack
from tasks.runner.execution.plan_run import PlanRun
from tasks.runner.execution.segment_run import SegmentRun
from tasks.runner.execution.statement_run import StatementRun, retry
from tasks.runner.parsing.requested_locks import REQUESTING, list_requested_locks
from tasks.runner.parsing.script import select
from tasks.runner.planning.atomic import IN_STEPS, find_first
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Plan, Step

_UNCOMMITTED = frozenset({"25001", "2D000"})
"""What the server refuses in a transaction. https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_UNSAFE_ENUM = "55P04"
"""A value that ALTER TYPE … ADD VALUE added to an enum was used before its transaction was committed.
https://www.postgresql.org/docs/current/sql-altertype.html"""
_SET_DEFAULTS = frozenset({"AlterRoleSetStmt", "AlterDatabaseSetStmt"})
_MAY_SET_DEFAULTS = frozenset({"DoStmt", "SelectStmt", "CallStmt", ""})


class AtomicRun(PlanRun):
    """The run of a plan in one transaction; what a step did is reported as finished only after the COMMIT."""

    _current: SegmentRun

    def run(self, plan: Plan) -> Iterator[Event]:
        """Run all steps and commit them together; raises RunnerError at the first that fails, after rolling back all."""
        if not plan.steps:
            return
        self._begin_run(plan)
        self._take_step(plan.steps[0])
        durations: list[int] = []
        try:
            yield from retry(
                self._context,
                self._make_hold_back(plan),
                partial(self._attempt, plan, durations),
                find_run=self._find_run,
                may_repeat=lambda: not self._current.committing,
            )
        except (psycopg.Error, LockLostError, Interruption, RefusedError) as failure:
            step = self._current.step
            error = self._explain(plan, failure)
            self._log_failure(self._current, error)
            yield from self._take_notices()
            yield StepFailed(step.action, step.version, error.message.splitlines()[0])
            raise error from failure
        except (KeyboardInterrupt, GeneratorExit):
            self._log_failure(self._current, self._explain(plan, Interruption("the caller")))
            raise
        self._finished = len(plan.steps)
        for step, duration in zip(plan.steps, durations, strict=True):
            yield StepFinished(step.action, step.version, duration)

    def _make_hold_back(self, plan: Plan) -> HoldBack:
        """Return what makes the run wait while others have locks that one of its files needs."""
        places = {id(each): (step, each) for step in plan.steps for each in select(step.script.statements, REQUESTING)}
        requests = list_requested_locks(statement for _, statement in places.values())
        timeouts = [self._context.find_lock_timeout_ms(step.script) / 1000 for step in plan.steps]
        return HoldBack(self._context, plan.steps[0], [(places[id(each)], request) for each, request in requests], min(timeouts))

    def _find_run(self, step: Step | None) -> StatementRun:
        if step is not None and step != self._current.step:
            self._take_step(step)
        return self._current.statements

    def _take_step(self, step: Step) -> None:
        self._step = step
        self._current = SegmentRun(self._context, step)

    def _attempt(self, plan: Plan, durations: list[int]) -> Iterator[Event]:
        """Run all steps in one transaction, and put the milliseconds of each into `durations`."""
        durations.clear()
        total = len(plan.steps)
        for position, step in enumerate(plan.steps, 1):
            self._take_step(step)
            start = time.monotonic()
            self._context.stop.check()
            yield StepStarted(step.action, step.version, position, total, len(step.script.statements))
            record = partial(self._record_in_transaction, step, start, commits=position == total)
            yield from self._with_notices(self._current.run_within(record, first=position == 1, last=position == total))
            durations.append(count_ms(start))
            if position < total:
                self._refuse_new_defaults(step)

    def _record_in_transaction(self, step: Step, start: float, before: str, *, commits: bool) -> None:
        self._is_open = not commits
        entry = self._build_entry(step, "finished", len(step.script.segments), duration_ms=count_ms(start))
        self._record_applied(step, entry, before, commits=commits)

    def _refuse_new_defaults(self, step: Step) -> None:
        """Raise RefusedError if a file changed what sessions start with: the next file needs a new session."""
        if self._context.session.defaults in (None, self._context.recorder.defaults):
            return
        statements = step.script.statements
        cause = find_first(statements, _SET_DEFAULTS) or find_first(statements, _MAY_SET_DEFAULTS)
        raise RefusedError(
            f"{cause.label if cause else step.source.shown} changes the settings with which sessions start, "
            "and the next file needs a session that starts with them",
            hint=IN_STEPS,
            place=Place(step.source.shown, cause.line if cause else 0),
        )

    def _explain(self, plan: Plan, failure: BaseException) -> RunnerError:
        """Roll back, and return the error: what stopped the run, and that nothing of it was committed."""
        run, count = self._current, len(plan.steps)
        statement = run.statements.statement
        lost = is_lost(self._context.connection)
        if isinstance(failure, RefusedError):
            with suppress(psycopg.Error):
                roll_back(self._context.connection)
            error: RunnerError = failure
        else:
            error = self._build_error(plan, run, failure)
        if statement is not None and self._needs_own_transaction(plan, error.sqlstate):
            error = RefusedError(error.message, hint=IN_STEPS, place=error.place, sqlstate=error.sqlstate)
        several = f"All {count} migrations of this run were" if count > 1 else f"{plan.steps[0].version} was"
        error.state = f"{several} rolled back: nothing was changed."
        if run.committing and (lost or isinstance(failure, LockLostError)):
            error.state = "It is not known whether the run was committed, as a whole; the next run checks that."
        return error

    def _needs_own_transaction(self, plan: Plan, sqlstate: str) -> bool:
        """Return True for an error that a run of several transactions does not raise."""
        if sqlstate == _UNSAFE_ENUM:
            earlier = plan.steps[: plan.steps.index(self._current.step)]
            return any(find_first(step.script.statements, frozenset({"AlterEnumStmt", "DoStmt"})) for step in earlier)
        return sqlstate in _UNCOMMITTED
