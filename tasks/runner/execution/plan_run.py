"""Execution of a plan on one connection: the only code that changes a database. It yields events and prints nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import psycopg

from tasks.runner.clock import count_ms
from tasks.runner.database.session import read_encoding, roll_back, run_sql
from tasks.runner.errors import ConnectError, Interruption, LockLostError, RunInterruptedError, RunnerError
from tasks.runner.events import Event, NoticeRaised, StepFailed, StepFinished, StepStarted
from tasks.runner.execution.context import RunContext
from tasks.runner.execution.failure_report import describe_next_step, describe_outcome, describe_unstarted, refuse_settings
from tasks.runner.execution.own_rows import OwnRow
from tasks.runner.execution.segment_run import SegmentRun
from tasks.runner.execution.timeout_report import explain_cancellation
from tasks.runner.ledger.reading import INTERRUPTED
from tasks.runner.ledger.vouching import FileTexts
from tasks.runner.ledger.writing import Entry
from tasks.runner.planning.failures import build_statement_error, find_facts, is_lost
from tasks.runner.planning.plan import Plan, Step, checksum_segments
from tasks.runner.planning.separations import describe_separations
from tasks.runner.redaction import redact, redact_quoted
from tasks.runner.signals import describe_signal

_MAY_DEALLOCATE = frozenset({"DeallocateStmt", "DiscardStmt", "DoStmt", "CallStmt", "ExecuteStmt", "SelectStmt", ""})
"""The kinds of statements that may deallocate prepared statements; the empty one is a text that was not parsed."""
_BLOCKED = frozenset({"55P03", "40P01", "57014"})
"""The errors of a statement that a blocker may have caused: a lock, a deadlock, a timeout."""


class PlanRun:
    """The run of a plan, step by step; each finished step is recorded in the ledger."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._finished = 0
        self._notices: list[NoticeRaised] = []
        self._step: Step | None = None
        self._is_open = False
        """Whether the transaction continues after the row of a step."""
        context.session.add_notice_handler(self._add_notice)

    def run(self, plan: Plan) -> Iterator[Event]:
        """Run the steps in order; raises RunnerError at the first that fails, after logging it."""
        self._begin_run(plan)
        for position, step in enumerate(plan.steps, 1):
            self._step = step
            self._renew_session(step, redo=plan.action == "redo")
            run = SegmentRun(self._context, step)
            start = time.monotonic()
            try:
                self._context.stop.check()
                self._context.lock.check()
                statements = len(step.script.statements)
                yield StepStarted(step.action, step.version, position, len(plan.steps), statements, step.position)
                yield from self._run_segments(run, start)
            except (psycopg.Error, LockLostError, Interruption) as failure:
                error = self._build_error(plan, run, failure)
                self._log_failure(run, error)
                yield from self._take_notices()
                yield StepFailed(step.action, step.version, error.message.splitlines()[0])
                raise error from failure
            except (KeyboardInterrupt, GeneratorExit):
                self._log_failure(run, self._build_error(plan, run, Interruption("the caller")))
                raise
            self._finished += 1
            yield StepFinished(step.action, step.version, count_ms(start))

    def _begin_run(self, plan: Plan) -> None:
        """Set what the session needs for all files, or refuse what a pooler would not keep."""
        if self._context.pooled:
            refuse_settings(plan)
        else:
            run_sql(self._context.connection, self._context.describe_session().begin_run())

    def _renew_session(self, step: Step, *, redo: bool) -> None:
        """Replace the session if a file changed what sessions start with, so that the next file runs as in a run of its own."""
        session, recorder = self._context.session, self._context.recorder
        if not self._finished or session.defaults in (None, recorder.defaults):
            return
        try:
            session.reopen()
        except ConnectError as error:
            error.state = describe_unstarted(step, before=self._finished, redo=redo)
            raise
        recorder.move_to(session.connection)
        run_sql(session.connection, self._context.describe_session().begin_run())

    def _run_segments(self, run: SegmentRun, start: float) -> Iterator[Event]:
        """Run the segments that are not done, and again where the server refused a statement, which divides the step."""
        yield from self._run_undivided(run, start)
        while run.done < len(run.step.script.segments):
            yield from self._run_undivided(run, start)

    def _run_undivided(self, run: SegmentRun, start: float) -> Iterator[Event]:
        """Run the segments that are not done, each recorded as it completes, until one of them divides the step."""
        step, first = run.step, run.done
        own_row = OwnRow(self._context.connection, self._context.recorder.ledger, step)
        if not step.script.single_transaction:
            self._context.recorder.log(self._build_entry(step, "resumed" if step.resumed else "started", first))
        if first and not self._context.pooled:
            run.restore_settings()

        def record(done: int, before: str) -> None:
            self._record(step, done, own_row, start, before)

        for index in range(first, len(step.script.segments)):
            if index > first or step.separated:
                self._context.lock.check()
            yield from self._with_notices(run.run_segment(index, partial(record, index + 1)))
            if run.step is not step:
                return
        if first == len(step.script.segments):
            yield from self._with_notices(run.record_end(partial(record, first)))

    def _record(self, step: Step, done: int, own_row: OwnRow, start: float, before: str) -> None:
        """Record a finished segment in the ledger, after the SQL `before`, and commit all with the segment."""
        if done < len(step.script.segments):
            run_sql(self._context.connection, before)
            own_row.suppress()
            self._context.recorder.log(self._build_entry(step, "started", done), commits=True)
            return
        entry = self._build_entry(step, "finished", done, duration_ms=count_ms(start))
        if step.action == "rollback":
            self._context.recorder.record_reverted(entry, before=before)
            return
        if step.action == "seed":
            self._context.recorder.record_seeded(entry, step.source.checksum, before=before)
            return
        self._record_applied(step, entry, before)

    def _record_applied(self, step: Step, entry: Entry, before: str, *, commits: bool = True) -> None:
        self._context.recorder.record_applied(
            entry,
            FileTexts(step.source, step.source.down),
            own_row=step.script.records_itself,
            before=before,
            deallocates=not _MAY_DEALLOCATE.isdisjoint(statement.kind for statement in step.script.statements),
            commits=commits,
        )

    def _build_entry(self, step: Step, outcome: str, done: int, *, duration_ms: int | None = None) -> Entry:
        total = len(step.script.segments)
        return Entry(
            step.action,
            outcome,
            step.version,
            done,
            total,
            "" if outcome == "finished" else checksum_segments(step.script, done),
            duration_ms=duration_ms,
            note=describe_separations(step.script, step.separated),
            locks=self._context.times.write(step.version, commits=not self._is_open),
        )

    def _build_error(self, plan: Plan, run: SegmentRun, failure: BaseException) -> RunnerError:
        """Roll back, and return the error: what stopped the step, and the state of the database."""
        step = run.step
        lost = is_lost(self._context.connection)
        with suppress(psycopg.Error):
            roll_back(self._context.connection)
        unknown = lost or isinstance(failure, LockLostError)
        redo = plan.action == "redo"
        state = describe_outcome(step, run, before=self._finished, unknown=unknown, lost=lost, redo=redo)
        next_step = describe_next_step(plan, run, before=self._finished, lost=lost)
        if isinstance(failure, LockLostError):
            return LockLostError(failure.message, hint=f"{failure.hint} {next_step}", state=state, sqlstate=failure.sqlstate)
        if isinstance(failure, Interruption):
            return RunInterruptedError(f"stopped by {describe_signal(failure.signal_name)}", state=state, hint=next_step)
        assert isinstance(failure, psycopg.Error)
        blockers = run.statements.blockers if failure.sqlstate in _BLOCKED else ()
        context = self._context
        cancelled = None if lost else explain_cancellation(failure, step, run, context.connection, pooled=context.pooled)
        return build_statement_error(
            failure,
            step,
            run.statements.statement,
            state=state,
            url=self._context.url,
            lost=lost,
            blockers=blockers,
            shift=run.statements.shift,
            next_step=next_step,
            encoding=read_encoding(self._context.connection),
            facts=None if lost else find_facts(self._context.connection, failure, run.statements.statement),
            is_first=not self._finished and not self._context.recorder.ledger.checksums,
            cause=cancelled.cause if cancelled else "",
            hint=cancelled.hint if cancelled else "",
        )

    def _log_failure(self, run: SegmentRun, error: RunnerError) -> None:
        """Restore the session, and log a failed attempt, unless it is not known how many of its segments are committed.

        The last row of the log, of the attempt's start, then shows just that. A lost session may have finished its statement.
        """
        step, lost = run.step, is_lost(self._context.connection)
        with suppress(psycopg.Error):
            if not lost:
                run_sql(self._context.connection, self._context.describe_session().restore())
        if isinstance(error, LockLostError) or (lost and run.committing and not step.script.single_transaction):
            return
        sqlstate = "08006" if lost and error.sqlstate not in INTERRUPTED else error.sqlstate
        entry = self._build_entry(step, "failed", run.done)
        self._context.failures.write(replace(entry, sqlstate=sqlstate, error=redact(error.message, self._context.url)))

    def _add_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        version, file_text = (self._step.version, self._step.source.text) if self._step is not None else ("", "")
        text = redact(redact_quoted(diagnostic.message_primary or ""), self._context.url, statement=file_text)
        self._notices.append(NoticeRaised(version, diagnostic.severity_nonlocalized or "NOTICE", text))

    def _with_notices(self, events: Iterator[Event]) -> Iterator[Event]:
        """Yield the server's notices before the event that they belong to."""
        for event in events:
            yield from self._take_notices()
            yield event
        yield from self._take_notices()

    def _take_notices(self) -> Iterator[NoticeRaised]:
        taken, self._notices = self._notices, []
        yield from taken
