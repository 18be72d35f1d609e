"""Running the segments of one step: each a transaction with its record in the ledger, or one statement outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.session import Execution, run_sql
from tasks.runner.errors import Interruption
from tasks.runner.events import Event, NoticeRaised
from tasks.runner.execution.hold_back import HoldBack
from tasks.runner.execution.nontransactional_run import NontransactionalRun
from tasks.runner.execution.statement_run import StatementRun
from tasks.runner.parsing import Segment, Statement
from tasks.runner.parsing.script import find_place
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step
from tasks.runner.planning.server_texts import describe_reason
from tasks.runner.planning.transaction_errors import runs_outside

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext
    from tasks.runner.execution.pipeline_run import PipelineRun
    from tasks.runner.ledger.writing import Entry

Record = Callable[[str], None]
"""Record what was done, after some SQL, and commit."""
BuildEntry = Callable[[], "Entry"]
"""Return the row of the log for a file whose statements have run."""

_NOTHING = Segment((), True)
_REMOVED = "a function removed the prepared statements with which this tool records files; the last transaction runs again"


class SegmentRun:
    """The run of the segments of one step, with what the report of a failure needs.

    `step`: the step, divided further where the server refused a statement in a transaction; `synchronous`: whether each commit
    waits for the disk; `done`: how many segments are committed; `committing`: whether a COMMIT is in progress;
    `nontransactional`: a statement outside a transaction whose effect is not recorded yet; `leftover_note`: what was done about
    its leftovers. A step of one transaction runs in the `pipeline`, if there is one.
    """

    def __init__(self, context: RunContext, step: Step, pipeline: PipelineRun | None = None) -> None:
        self._context = context
        self._pipeline = pipeline
        self._prepares = "PrepareStmt" in step.script.kinds
        self._take(step)
        self.done = step.done
        self.committing = False
        self.nontransactional: Statement | None = None
        self.leftover_note = ""

    def _take(self, step: Step) -> None:
        self.step = step
        self.synchronous = not step.script.single_transaction
        self._state = self._context.describe_session(step.script, synchronous=self.synchronous)
        self.statements = StatementRun(self._context, step)
        self._hold_back: tuple[Segment, HoldBack | None] = _NOTHING, None

    def restore_settings(self) -> None:
        """Repeat the settings of finished segments, which were lost with the session or the transaction."""
        for statement in self.step.script.settings_before(self.done):
            self.statements.statement = statement
            Execution(self._context.connection, statement.text).finish()

    def list_probe(self) -> tuple[str, ...]:
        """Return SQL that raises an error if others may have the locks of the only segment, one statement each."""
        return self._make_hold_back(self.step.script.segments[0]).list_probe()

    def list_begin(self) -> tuple[str, ...]:
        """Return the SQL that begins the only segment, one statement each."""
        return self._state.list_begin(self.step.script.segments[0].begin)

    def list_before_ledger(self) -> tuple[str, ...]:
        """Return the SQL that precedes the record of the only segment, one statement each."""
        return self._state.list_before_ledger(prepares=self._prepares)

    def run_segment(self, index: int, record: Record, build_entry: BuildEntry) -> Iterator[Event]:
        """Run a segment and record it; raises psycopg.Error if the server refuses it after all retries.

        Where the server refuses a statement only because of the transaction, nothing is done, and `step` is divided for it.
        """
        segment = self.step.script.segments[index]
        self.statements.statement = None
        if not segment.transactional:
            yield from self._run_nontransactional(segment.statements[0], unsure=self.step.unsure and index == self.step.done)
            segment = _NOTHING
        try:
            yield from self._run_recorded(segment, record, build_entry, last=index == len(self.step.script.segments) - 1)
        except psycopg.Error as error:
            failed = self.statements.statement
            if failed is None or failed not in segment.statements or not self._separate(failed, error):
                raise
            yield self._describe_separation(failed, error)
            return
        self.nontransactional = None
        self.done = index + 1

    def _describe_separation(self, statement: Statement, error: psycopg.Error) -> NoticeRaised:
        count = len(self.step.script.segments)
        reason = describe_reason(error, statement)
        others = f"; the other statements of the file run in {count - 1} transactions" if count > 2 else ""
        return NoticeRaised(
            self.step.version,
            "NOTICE",
            f"line {statement.line} cannot run in a transaction ({reason}), so it runs outside of one{others}",
        )

    def _separate(self, statement: Statement, error: psycopg.Error) -> bool:
        """Divide the step for the statement that failed, if it can run outside a transaction; return True if it is divided."""
        script = self.step.script
        if is_lost(self._context.connection):
            return False
        number = 1 + find_place(script.statements, statement)
        divided = script.separate(number)
        keeps_settings = not self._context.pooled or not any(each.session for each in script.statements[:number])
        refused = self.step.action == "seed" or not keeps_settings or not runs_outside(error.sqlstate, statement)
        if refused or divided == script:
            return False
        self._take(replace(self.step, script=divided, separated=self.step.separated | {number}))
        return True

    def record_end(self, record: Record) -> Iterator[Event]:
        """Record a step whose segments were all finished by an earlier run, because the rest of the file was deleted."""
        yield from self._run_transaction(_NOTHING, record, last=True)

    def _run_recorded(self, segment: Segment, record: Record, build_entry: BuildEntry, *, last: bool) -> Iterator[Event]:
        """Run and record a segment, and again if a function of the file removed the prepared statements of the record."""

        def run() -> Iterator[Event]:
            if self._pipeline is not None and self.step.script.single_transaction:
                return self._run_in_pipeline(self._pipeline, segment, build_entry)
            return self._run_transaction(segment, record, last=last)

        try:
            yield from run()
        except psycopg.errors.InvalidSqlStatementName:
            if self.statements.statement is not self.nontransactional:
                raise
            self._context.recorder.forget()
            yield NoticeRaised(self.step.version, "NOTICE", _REMOVED)
            yield from run()

    def _run_in_pipeline(self, pipeline: PipelineRun, segment: Segment, build_entry: BuildEntry) -> Iterator[Event]:
        yield from self.statements.retry(
            lambda: pipeline.run(self, build_entry),
            self._make_hold_back(segment),
            may_repeat=lambda: not self.committing,
            has_begun=pipeline.has_begun(self) and pipeline.confirm(),
        )

    def _run_transaction(self, segment: Segment, record: Record, *, last: bool) -> Iterator[Event]:
        yield from self.statements.retry(
            lambda: self._try_transaction(segment, record, last),
            self._make_hold_back(segment),
            may_repeat=lambda: not self.committing,
        )

    def _make_hold_back(self, segment: Segment) -> HoldBack:
        """Return what keeps a segment waiting; that of a file that is sent ahead is made before the file runs."""
        made, hold_back = self._hold_back
        if hold_back is None or made is not segment:
            qualified = self._context.pooled and bool(self.step.script.settings_before(self.done))
            hold_back = self.statements.make_hold_back(segment.statements, qualified=qualified)
            self._hold_back = segment, hold_back
        return hold_back

    def _try_transaction(self, segment: Segment, record: Record, last: bool) -> Iterator[Event]:
        """Run the statements of a segment and record it, in one transaction."""
        connection, state = self._context.connection, self._state
        begin = state.begin(segment.begin)
        if self._context.pooled or not segment.statements:
            run_sql(connection, begin)
            begin = ""
        if self._context.pooled and segment.statements:
            self.restore_settings()
        for statement in segment.statements:
            yield from self.statements.run(statement, begin=begin)
            begin = ""
        self._record(record, ends=last, commits=True)

    def run_within(self, record: Record, *, first: bool, last: bool) -> Iterator[Event]:
        """Run the only segment of the step in a transaction of several steps: the `first` one begins it, the `last` one commits.

        Each step begins with the settings that it has in a run of its own.
        """
        connection, state = self._context.connection, self._state
        if first:
            run_sql(connection, state.begin(self.step.script.segments[0].begin))
        else:
            run_sql(connection, state.restore_constraints())
            Execution(connection, state.begin_again()).finish()
        for statement in self.step.script.segments[0].statements:
            yield from self.statements.run(statement)
        self._record(record, ends=True, commits=last)

    def _record(self, record: Record, *, ends: bool, commits: bool) -> None:
        """Record what was done; `ends` means that the file has no further segment."""
        self.statements.statement = self.nontransactional
        self._context.lock.check()
        self.committing = commits
        try:
            record(self._state.before_ledger(ends=ends, prepares=self._prepares))
        except psycopg.Error:
            # After an error of the server, nothing is committed.
            self.committing = commits and is_lost(self._context.connection)
            raise
        self.committing = False

    def _run_nontransactional(self, statement: Statement, *, unsure: bool) -> Iterator[Event]:
        run = NontransactionalRun(self._context, self.step, self.statements)
        self.nontransactional = self.statements.statement = statement
        try:
            yield from run.run(statement, unsure=unsure)
        except Interruption:
            run.clear_leftovers(statement)
            raise
        finally:
            self.leftover_note = run.leftover_note
