"""Walking a Plan over one connection: the only code that changes a database. It yields events and prints nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import pq

from tasks.runner.errors import Interruption, LockLostError, RunInterruptedError, RunnerError
from tasks.runner.events import Event, NoticeRaised, StepFailed, StepFinished, StepStarted
from tasks.runner.failures import build_statement_error, describe_reason, is_lost
from tasks.runner.lock import RunLock
from tasks.runner.log import Entry, Recorder
from tasks.runner.plan import Plan, Step, sum_segments
from tasks.runner.retries import RetryPolicy
from tasks.runner.secrets import redact
from tasks.runner.segment_run import SegmentFailed, SegmentRun
from tasks.runner.session import run_sql
from tasks.runner.signals import Stop
from tasks.runner.waits import Watcher

_CLEAN_SESSION = "CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"
"""Ends what a file may have left in its session, so that the next one starts as in a session of its own."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Hold what a run works with."""

    url: str
    connection: psycopg.Connection
    recorder: Recorder
    lock: RunLock
    watcher: Watcher
    policy: RetryPolicy
    stop: Stop
    pooled: bool


class PlanRun:
    """Walk a plan, step by step; each step ends recorded in the ledger, or not at all."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._s = surroundings
        self._stands = 0
        self._notices: list[NoticeRaised] = []
        self._version = ""
        surroundings.connection.add_notice_handler(self._keep_notice)

    def walk(self, plan: Plan) -> Iterator[Event]:
        """Run the steps in order; raises RunnerError at the first that fails, after it was logged."""
        for position, step in enumerate(plan.steps, 1):
            self._version = step.version
            run = SegmentRun(self._s, step)
            try:
                self._s.stop.check()
                self._s.lock.check()
                yield StepStarted(
                    step.action, step.version, position, len(plan.steps), len(step.script.statements), step.position
                )
                start = time.monotonic()
                yield from self._run_segments(step, run, start)
                yield StepFinished(step.action, step.version, _count_ms(start))
            except SegmentFailed as failure:
                explained = self._explain(step, run, failure)
                self._log_failure(step, run, explained)
                yield from self._take_notices()
                yield StepFailed(step.action, step.version, explained.message.splitlines()[0])
                raise explained from failure.error
            except LockLostError as error:
                self._roll_back()
                error.state = self._describe_state(step, run)
                self._log_failure(step, run, error)
                yield StepFailed(step.action, step.version, error.message)
                raise
            except Interruption as interruption:
                self._roll_back()
                stopped = self._build_interrupted(step, run, interruption.signal_name)
                self._log_failure(step, run, stopped)
                yield StepFailed(step.action, step.version, stopped.message)
                raise stopped from interruption
            except (KeyboardInterrupt, GeneratorExit):
                self._roll_back()
                self._log_failure(step, run, self._build_interrupted(step, run, "the caller"))
                raise
            self._stands += 1

    def _run_segments(self, step: Step, run: SegmentRun, start: float) -> Iterator[Event]:
        """Run the segments that are not done, each recorded as it completes."""
        segments = step.script.segments
        if not step.script.single_transaction:
            outcome = "resumed" if step.resumed else "started"
            self._s.recorder.log(self._build_entry(step, outcome, run.done))
        if step.done:
            run.restore_settings()
        for index in range(step.done, len(segments)):
            if index > step.done:
                self._s.lock.check()
            last = index == len(segments) - 1

            def record(index: int = index, last: bool = last) -> None:
                self._record(step, index + 1, last, start)

            for event in run.run_segment(index, record, last=last):
                yield from self._take_notices()
                yield event
            yield from self._take_notices()
        if not self._s.pooled:
            run_sql(self._s.connection, _CLEAN_SESSION)

    def _record(self, step: Step, done: int, last: bool, start: float) -> None:
        """Write what a completed segment means to the ledger, in the transaction that is open."""
        if not last:
            self._s.recorder.log(self._build_entry(step, "started", done))
            return
        entry = self._build_entry(step, "finished", done, duration_ms=_count_ms(start))
        if step.action == "rollback":
            self._s.recorder.record_reverted(entry)
            return
        if step.action == "seed":
            self._s.recorder.record_seeded(entry, step.source.checksum)
            return
        self._s.recorder.record_applied(
            entry,
            checksum=step.source.checksum,
            up_text=step.source.text,
            down_text=step.source.down_text,
            own_row=step.script.records_itself,
        )

    def _build_entry(self, step: Step, outcome: str, done: int, *, duration_ms: int | None = None) -> Entry:
        total = len(step.script.segments)
        return Entry(
            step.action,
            outcome,
            step.version,
            done,
            total,
            "" if outcome == "finished" else sum_segments(step.script, done),
            duration_ms=duration_ms,
        )

    def _explain(self, step: Step, run: SegmentRun, failure: SegmentFailed) -> RunnerError:
        """Describe a refused statement, after the transaction was rolled back and pieces were cleared."""
        lost = is_lost(self._s.connection)
        self._roll_back()
        state = self._describe_state(step, run, lost=lost, committing=failure.committing, note=failure.note)
        return build_statement_error(
            failure.error,
            step,
            failure.statement,
            state=state,
            url=self._s.url,
            lost=lost,
            blockers=failure.blockers,
        )

    def _describe_state(
        self, step: Step, run: SegmentRun, *, lost: bool = False, committing: bool = False, note: str = ""
    ) -> str:
        """Say what stands in the database after a step broke off."""
        total = len(step.script.segments)
        parts = []
        if lost and committing:
            parts.append(f"Whether {step.version} was committed is not known; the next run finds out.")
        elif run.done:
            parts.append(f"{run.done} of {total} segments of {step.version} stand; the next run goes on after them.")
        else:
            parts.append(f"Nothing of {step.version} was kept.")
        if lost and run.alone:
            parts = [f"Whether the statement of {step.version} took effect is not known; the next run finds out."]
        if note:
            parts.append(note)
        if self._stands:
            plural = "migrations" if self._stands > 1 else "migration"
            parts.append(f"{self._stands} {plural} before it in this run stand{'' if self._stands > 1 else 's'}.")
        return " ".join(parts)

    def _build_interrupted(self, step: Step, run: SegmentRun, who: str) -> RunInterruptedError:
        return RunInterruptedError(
            f"stopped by {who}",
            state=self._describe_state(step, run),
            hint="Run the same command again: it goes on where this one stopped.",
        )

    def _log_failure(self, step: Step, run: SegmentRun, error: RunnerError) -> None:
        """Log a failed attempt, unless the session is gone: then the log's last row says that it is not known."""
        if is_lost(self._s.connection):
            return
        entry = self._build_entry(step, "failed", run.done)
        try:
            self._s.recorder.log(
                Entry(
                    entry.action,
                    entry.outcome,
                    entry.version,
                    entry.done,
                    entry.total,
                    entry.segments_checksum,
                    error.sqlstate,
                    redact(error.message, self._s.url),
                )
            )
        except psycopg.Error:
            return

    def _roll_back(self) -> None:
        """End what is open; a session that cannot be asked any more is rolled back by the server."""
        connection = self._s.connection
        if is_lost(connection) or connection.info.transaction_status == pq.TransactionStatus.IDLE:
            return
        try:
            run_sql(connection, "ROLLBACK")
        except psycopg.Error as error:
            self._notices.append(NoticeRaised(self._version, "WARNING", describe_reason(error)))

    def _keep_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        text = redact(diagnostic.message_primary or "", self._s.url)
        self._notices.append(NoticeRaised(self._version, diagnostic.severity_nonlocalized or "NOTICE", text))

    def _take_notices(self) -> Iterator[NoticeRaised]:
        taken, self._notices = self._notices, []
        yield from taken


def _count_ms(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
