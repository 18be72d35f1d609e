"""Running one segment: a transaction tried again while locks stop it, or a statement that stands alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.events import (
    Event,
    NoticeRaised,
    Retried,
    Session,
    StatementFinished,
    StatementStarted,
    Waiting,
)
from tasks.runner.failures import describe_reason, is_lost
from tasks.runner.plan import Step
from tasks.runner.remains import WAITING_KINDS, Remains, find_remains, quote_name
from tasks.runner.retries import RETRIED_SQLSTATES, choose_pause
from tasks.runner.session import Execution, run_sql
from tasks.runner.statements import Segment, Statement
from tasks.runner.waits import TELL_AFTER_S

if TYPE_CHECKING:
    from tasks.runner.run import Surroundings

_AS_OURSELVES = "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE"
_AS_AT_START = "SET CONSTRAINTS ALL IMMEDIATE; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"
"""Before the ledger is written: deferred checks while the file's settings hold, then our own role; after the last segment
the file's settings go too."""

_COMMITTING_KINDS = frozenset({"CallStmt", "DoStmt"})
"""Statements that may have committed a part of what they do before they fail; they are never tried again."""
_TOLD_OFTEN_S = 10.0
_TOLD_EVERY_S = 5.0


class SegmentFailed(Exception):  # noqa: N818 - carried from the segment to the run, never shown
    """Carry what the server refused, at which statement, and what was done about it."""

    def __init__(
        self,
        error: psycopg.Error,
        statement: Statement | None,
        *,
        committing: bool = False,
        note: str = "",
        blockers: tuple[Session, ...] = (),
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.statement = statement
        self.committing = committing
        self.note = note
        self.blockers = blockers


class SegmentRun:
    """Run the segments of one step; `done` counts those that stand, `alone` says that one runs outside a transaction."""

    def __init__(self, surroundings: Surroundings, step: Step) -> None:
        self._s = surroundings
        self._step = step
        self._statement: Statement | None = None
        self._blockers: tuple[Session, ...] = ()
        self._committing = False
        self.done = step.done
        self.alone = False

    def restore_settings(self) -> None:
        """Repeat the session settings of segments that an earlier run finished: they went with its session."""
        for statement in self._step.script.settings_before(self._step.done):
            run_sql(self._s.connection, statement.text)

    def run_segment(self, index: int, record: Callable[[], None], *, last: bool) -> Iterator[Event]:
        """Run a segment and record it; raises SegmentFailed when the server refuses it for good."""
        segment = self._step.script.segments[index]
        self.alone = not segment.transactional
        try:
            if segment.transactional:
                yield from self._run_transaction(segment, record, last)
            else:
                yield from self._run_alone(segment.statements[0], record, index)
        except psycopg.Error as error:
            raise SegmentFailed(error, self._statement, committing=self._committing, blockers=self._blockers) from error
        self.done = index + 1

    def _run_transaction(self, segment: Segment, record: Callable[[], None], last: bool) -> Iterator[Event]:
        """Try the whole transaction until it goes through or the policy says no."""
        attempt = 1
        while True:
            try:
                yield from self._try_transaction(segment, record, last)
                return
            except psycopg.Error as error:
                if is_lost(self._s.connection) or self._committing:
                    raise
                run_sql(self._s.connection, "ROLLBACK")
                if not self._s.policy.may_retry(error.sqlstate, attempt):
                    raise
                pause = choose_pause(attempt)
                yield self._build_retried(error, attempt, pause)
                self._s.stop.sleep(pause)
                attempt += 1

    def _try_transaction(self, segment: Segment, record: Callable[[], None], last: bool) -> Iterator[Event]:
        connection, timeout = self._s.connection, self._s.policy.lock_timeout_ms
        self._statement = None
        run_sql(connection, f"{segment.begin or 'BEGIN'}; SET LOCAL lock_timeout = {timeout}")
        for statement in segment.statements:
            yield from self._run_statement(statement)
        self._statement = None
        run_sql(connection, _AS_AT_START if last else _AS_OURSELVES)
        record()
        self._s.lock.check()
        self._committing = True
        run_sql(connection, "COMMIT")
        self._committing = False

    def _run_alone(self, statement: Statement, record: Callable[[], None], index: int) -> Iterator[Event]:
        """Run a statement outside a transaction, after a look at what an attempt before this one left."""
        self._statement = statement
        unsure = self._step.unsure and index == self._step.done
        waits = statement.target is not None and statement.target.kind in WAITING_KINDS
        if waits:
            yield from self._wait_out_transactions(statement)
        remains = find_remains(self._s.connection, statement.target)
        if unsure and remains.done:
            yield self._note(f"line {statement.line} had finished before its run broke off: {statement.label}")
        else:
            yield from self._clear(remains)
            if not remains.replaces:
                yield from self._run_with_timeouts(statement, waits)
                yield from self._check_index(statement)
        if index == len(self._step.script.segments) - 1:
            run_sql(self._s.connection, "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")
        record()

    def _run_with_timeouts(self, statement: Statement, waits: bool) -> Iterator[Event]:
        """Set the session's timeouts round a statement, where no pooler could hand them to somebody else."""
        wanted = "0" if waits else f"{self._s.policy.lock_timeout_ms}ms"
        before = None if self._s.pooled else self._swap_timeouts(wanted, "0" if waits else None)
        attempt = 1
        try:
            while True:
                try:
                    yield from self._run_statement(statement)
                    return
                except psycopg.Error as error:
                    if is_lost(self._s.connection):
                        raise
                    commits_inside = statement.kind in _COMMITTING_KINDS
                    if waits or commits_inside or not self._s.policy.may_retry(error.sqlstate, attempt):
                        raise
                    pause = choose_pause(attempt)
                    yield self._build_retried(error, attempt, pause)
                    self._s.stop.sleep(pause)
                    attempt += 1
        except psycopg.Error as error:
            note = self._clear_after_failure(statement)
            raise SegmentFailed(error, statement, note=note, blockers=self._blockers) from error
        finally:
            if before is not None and not is_lost(self._s.connection):
                self._swap_timeouts(*before)

    def _swap_timeouts(self, lock: str, statement: str | None) -> tuple[str, str]:
        """Set lock_timeout (and statement_timeout, unless None) for the session, and give what they were."""
        row = self._s.connection.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), set_config('lock_timeout', %s, false),"
            " set_config('statement_timeout', coalesce(%s, current_setting('statement_timeout')), false)",
            [lock, statement],
        ).fetchone()
        return (row[0], row[1]) if row else ("0", "0")

    def _run_statement(self, statement: Statement) -> Iterator[Event]:
        """Run one statement, telling for whom it waits."""
        version, number = self._step.version, self._count(statement)
        total = len(self._step.script.statements)
        self._statement, self._blockers = statement, ()
        yield StatementStarted(version, statement.line, statement.label, number, total)
        start = time.monotonic()
        policy_s = self._s.policy.lock_timeout_ms / 1000
        execution = Execution(
            self._s.connection,
            statement.text,
            copy_data=statement.copy_data,
            stop=self._s.stop,
            pulse_s=min(1.0, policy_s * 0.6),
        )
        told = 0.0
        for seconds in execution:
            if seconds < TELL_AFTER_S:
                self._blockers = self._s.watcher.find_blockers() if seconds >= policy_s * 0.5 else ()
            elif seconds - told >= (1.0 if seconds < _TOLD_OFTEN_S else _TOLD_EVERY_S):
                told = seconds
                for event in self._s.watcher.look(version=version, line=statement.line, seconds=seconds):
                    if isinstance(event, Waiting):
                        self._blockers = event.blockers
                    yield event
        duration = round((time.monotonic() - start) * 1000)
        yield StatementFinished(version, statement.line, number, total, duration)

    def _wait_out_transactions(self, statement: Statement) -> Iterator[Event]:
        """Wait for the transactions that a concurrent build would wait for, while there is nothing to leave behind."""
        target = statement.target
        if target is None or not target.table:
            return
        table = quote_name(target.table_schema, target.table)
        start, told = time.monotonic(), 0.0
        limit = self._s.policy.lock_timeout_ms / 1000 * self._s.policy.attempts
        while blockers := self._s.watcher.find_long_transactions(table):
            seconds = time.monotonic() - start
            if seconds > limit:
                error = psycopg.errors.LockNotAvailable(
                    f"transactions that are older hold up {statement.label}; gave up after {seconds:.0f} s"
                )
                raise SegmentFailed(error, statement, blockers=blockers)
            if not told or seconds - told >= _TOLD_EVERY_S:
                told = seconds or 0.001
                yield Waiting(self._step.version, statement.line, round(seconds, 1), blockers)
            self._s.stop.sleep(0.5)

    def _clear(self, remains: Remains) -> Iterator[Event]:
        """Clear the pieces of an attempt that broke off."""
        for piece, command in zip(remains.pieces, remains.cleanup, strict=True):
            yield self._note(f"{piece} is left from an attempt that broke off: {command}")
            Execution(self._s.connection, command, stop=self._s.stop).finish()

    def _clear_after_failure(self, statement: Statement) -> str:
        """Clear the pieces that a refused statement left, and say so; what cannot be cleared now, the next run clears."""
        if is_lost(self._s.connection):
            return ""
        try:
            remains = find_remains(self._s.connection, statement.target)
            if not remains.pieces or remains.replaces:
                return ""
            if not self._s.pooled:
                self._swap_timeouts(f"{self._s.policy.lock_timeout_ms}ms", None)
            for command in remains.cleanup:
                Execution(self._s.connection, command, stop=self._s.stop).finish()
        except psycopg.Error:
            return "It left an invalid index, which the next run drops."
        return f"The invalid index that it left ({', '.join(remains.pieces)}) was dropped."

    def _check_index(self, statement: Statement) -> Iterator[Event]:
        """Make sure that a concurrently built index is valid: IF NOT EXISTS reports success over a useless one."""
        if statement.target is None or statement.target.kind != "create index":
            return
        remains = find_remains(self._s.connection, statement.target)
        if remains.pieces:
            yield from self._clear(remains)
            raise psycopg.errors.ObjectNotInPrerequisiteState(
                f"the index {', '.join(remains.pieces)} came out invalid and was dropped"
            )

    def _build_retried(self, error: psycopg.Error, attempt: int, pause: float) -> Retried:
        return Retried(
            version=self._step.version,
            line=self._statement.line if self._statement else 0,
            attempt=attempt,
            attempts=self._s.policy.attempts,
            reason=f"{RETRIED_SQLSTATES.get(error.sqlstate or '', '')}: {describe_reason(error)}",
            pause_s=round(pause, 2),
            blockers=self._blockers,
        )

    def _count(self, statement: Statement) -> int:
        return self._step.script.statements.index(statement) + 1

    def _note(self, message: str) -> NoticeRaised:
        return NoticeRaised(self._step.version, "NOTICE", message)
