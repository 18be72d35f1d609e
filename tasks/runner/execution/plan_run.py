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
from tasks.runner.errors import ConnectError, FilesError, Interruption, LockLostError, RunInterruptedError, RunnerError
from tasks.runner.events import Event, NoticeRaised, StepFailed, StepFinished, StepStarted
from tasks.runner.execution.context import RunContext
from tasks.runner.execution.failure_report import describe_next_step, describe_outcome, describe_unstarted, refuse_settings
from tasks.runner.execution.own_rows import OwnRow
from tasks.runner.execution.pipeline_run import PipelineRun, describe_recording
from tasks.runner.execution.segment_run import SegmentRun
from tasks.runner.execution.timeout_report import explain_cancellation
from tasks.runner.ledger.pipelined_record import PipelinedRecorder
from tasks.runner.ledger.reading import INTERRUPTED
from tasks.runner.ledger.writing import Entry
from tasks.runner.planning.failures import build_statement_error, find_facts, is_lost
from tasks.runner.planning.plan import Plan, Step, checksum_segments
from tasks.runner.planning.separations import describe_separations
from tasks.runner.redaction import redact, redact_quoted
from tasks.runner.signals import describe_signal

_BLOCKED = frozenset({"55P03", "40P01", "57014"})
"""The errors of a statement that a blocker may have caused: a lock, a deadlock, a timeout."""


class PlanRun:
    """The run of a plan, step by step; each finished step is recorded in the ledger."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._finished = 0
        self._notices: list[NoticeRaised] = []
        self._step: Step | None = None
        self._segments: SegmentRun | None = None
        self._is_open = False
        """Whether the transaction continues after the row of a step."""
        self._following: Step | None = None
        self._ahead: SegmentRun | None = None
        """The run of the next step, if its beginning was sent together with the end of the current one."""
        self._prepared: SegmentRun | None = None
        """The run of the next step, if it was made while the server was busy with the current one."""
        recorder = context.recorder
        self._pipeline = (
            PipelineRun(context, recorder, self._choose_following, self._prepare_following)
            if isinstance(recorder, PipelinedRecorder)
            else None
        )
        context.session.add_notice_handler(self._add_notice)

    def run(self, plan: Plan) -> Iterator[Event]:
        """Run the steps in order; raises RunnerError at the first that fails, after logging it."""
        self._begin_run(plan)
        try:
            yield from self._run_steps(plan)
        finally:
            self._leave_pipeline()

    def _run_steps(self, plan: Plan) -> Iterator[Event]:
        for position, step in enumerate(plan.steps, 1):
            self._step = step
            self._following = plan.steps[position] if position < len(plan.steps) else None
            run = self._segments = self._begin_step(step, redo=plan.action == "redo")
            start = time.monotonic()
            try:
                self._context.stop.check()
                if self._ahead is not run:
                    self._context.lock.check()
                statements = len(step.script.statements)
                yield StepStarted(step.action, step.version, position, len(plan.steps), statements, step.position)
                yield from self._run_segments(run, start)
            except (psycopg.Error, LockLostError, Interruption, FilesError) as failure:
                self._leave_pipeline()
                error = self._build_error(plan, run, failure)
                self._log_failure(run, error)
                yield from self._take_notices()
                yield StepFailed(step.action, step.version, error.message.splitlines()[0])
                raise error from failure
            except (KeyboardInterrupt, GeneratorExit):
                self._leave_pipeline()
                self._log_failure(run, self._build_error(plan, run, Interruption("the caller")))
                raise
            self._finished += 1
            yield StepFinished(step.action, step.version, count_ms(start))

    def _begin_step(self, step: Step, *, redo: bool) -> SegmentRun:
        """Return the run of a step: the one that was sent ahead, or a new one."""
        ahead = self._ahead
        if ahead is not None and ahead.step is step and self._pipeline is not None and self._pipeline.has_begun(ahead):
            return ahead
        self._ahead = None
        self._renew_session(step, redo=redo)
        return self._make_run(step)

    def _make_run(self, step: Step) -> SegmentRun:
        takes = self._pipeline is not None and self._pipeline.takes(step)
        return SegmentRun(self._context, step, self._pipeline if takes else None)

    def _choose_following(self) -> SegmentRun | None:
        """Return the run of the next step if the server may begin it as soon as it has committed the current one."""
        context, step = self._context, self._following
        has_changed = context.session.defaults not in (None, context.recorder.defaults)
        if step is None or has_changed or context.stop.signal_name or self._pipeline is None or not self._pipeline.takes(step):
            return None
        prepared, self._prepared = self._prepared, None
        self._ahead = prepared if prepared is not None and prepared.step is step else self._make_run(step)
        return self._ahead

    def _prepare_following(self) -> None:
        """Make the run of the next step, and find the locks that it needs, if it can run in the pipeline."""
        step, pipeline = self._following, self._pipeline
        if step is None or pipeline is None or (self._prepared is not None and self._prepared.step is step):
            return
        self._prepared = self._make_run(step) if pipeline.takes(step) else None
        if self._prepared is not None:
            self._prepared.list_probe()

    def _leave_pipeline(self) -> None:
        """Leave the pipeline, in which the beginning of the next step may be running."""
        self._ahead = None
        if self._pipeline is not None:
            self._pipeline.abandon()

    def _begin_run(self, plan: Plan) -> None:
        """Set what the session needs for all files, or refuse what a pooler would not keep."""
        if self._context.pooled:
            refuse_settings(plan)
        elif not self._context.is_set:
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
            build_entry = partial(self._build_finished, step, index + 1, start)
            yield from self._with_notices(run.run_segment(index, partial(record, index + 1), build_entry))
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
        entry = self._build_finished(step, done, start)
        if step.action == "rollback":
            self._context.recorder.record_reverted(entry, before=before)
            return
        if step.action == "seed":
            self._context.recorder.record_seeded(entry, step.source.checksum, before=before)
            return
        self._record_applied(step, entry, before)

    def _build_finished(self, step: Step, done: int, start: float) -> Entry:
        return self._build_entry(step, "finished", done, duration_ms=count_ms(start))

    def _record_applied(self, step: Step, entry: Entry, before: str, *, commits: bool = True) -> None:
        recording = describe_recording(step)
        self._context.recorder.record_applied(
            entry,
            recording.texts,
            own_row=recording.own_row,
            before=before,
            deallocates=recording.deallocates,
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
        if isinstance(failure, FilesError):
            return RunnerError(failure.message, hint=failure.hint, state=state, place=failure.place)
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
        version, file_text = (self._step.version, self._read_notified(self._step)) if self._step is not None else ("", "")
        text = redact(redact_quoted(diagnostic.message_primary or ""), self._context.url, statement=file_text)
        self._notices.append(NoticeRaised(version, diagnostic.severity_nonlocalized or "NOTICE", text))

    def _read_notified(self, step: Step) -> str:
        """Return the text whose secrets a notice must not show: that of the file, of a large one the current statement."""
        if isinstance(step.source.content, str):
            return step.source.content
        run = self._segments
        return run.statements.statement.head if run is not None and run.statements.statement is not None else ""

    def _with_notices(self, events: Iterator[Event]) -> Iterator[Event]:
        """Yield the server's notices before the event that they belong to."""
        for event in events:
            yield from self._take_notices()
            yield event
        yield from self._take_notices()

    def _take_notices(self) -> Iterator[NoticeRaised]:
        taken, self._notices = self._notices, []
        yield from taken
