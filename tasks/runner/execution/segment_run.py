"""Running the segments of one step: each a transaction with its record in the ledger, or one statement outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.session import run_sql
from tasks.runner.errors import Interruption
from tasks.runner.events import Event
from tasks.runner.execution.nontransactional_run import NontransactionalRun
from tasks.runner.execution.statement_run import StatementRun
from tasks.runner.parsing import Segment, Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

Record = Callable[[str], None]
"""Record what was done, after some SQL, and commit."""

_NOTHING = Segment((), True)


class SegmentRun:
    """The run of the segments of one step, with what the report of a failure needs.

    `synchronous`: whether each commit waits for the disk; `done`: how many segments are committed; `committing`: whether a COMMIT
    is in progress; `nontransactional`: a statement outside a transaction whose effect is not recorded yet; `leftover_note`: what
    was done about its leftovers.
    """

    def __init__(self, context: RunContext, step: Step) -> None:
        self._context = context
        self._step = step
        self.synchronous = not step.script.single_transaction
        self._state = context.describe_session(synchronous=self.synchronous)
        self._prepares = any(statement.kind == "PrepareStmt" for statement in step.script.statements)
        self.statements = StatementRun(context, step)
        self.done = step.done
        self.committing = False
        self.nontransactional: Statement | None = None
        self.leftover_note = ""

    def restore_settings(self) -> None:
        """Repeat the settings of finished segments, which were lost with the session or the transaction."""
        for statement in self._step.script.settings_before(self.done):
            self.statements.statement = statement
            run_sql(self._context.connection, statement.text)

    def run_segment(self, index: int, record: Record) -> Iterator[Event]:
        """Run a segment and record it; raises psycopg.Error if the server refuses it after all retries."""
        segment = self._step.script.segments[index]
        self.statements.statement = None
        if not segment.transactional:
            yield from self._run_nontransactional(segment.statements[0], unsure=self._step.unsure and index == self._step.done)
            segment = _NOTHING
        yield from self._run_transaction(segment, record, last=index == len(self._step.script.segments) - 1)
        self.nontransactional = None
        self.done = index + 1

    def record_end(self, record: Record) -> Iterator[Event]:
        """Record a step whose segments were all finished by an earlier run, because the rest of the file was deleted."""
        yield from self._run_transaction(_NOTHING, record, last=True)

    def _run_transaction(self, segment: Segment, record: Record, *, last: bool) -> Iterator[Event]:
        yield from self.statements.retry(
            lambda: self._try_transaction(segment, record, last), may_repeat=lambda: not self.committing
        )

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
        self.statements.statement = self.nontransactional
        self._context.lock.check()
        self.committing = True
        try:
            record(state.before_ledger(ends=last, prepares=self._prepares))
        except psycopg.Error:
            # After an error of the server, nothing is committed.
            self.committing = is_lost(connection)
            raise
        self.committing = False

    def _run_nontransactional(self, statement: Statement, *, unsure: bool) -> Iterator[Event]:
        run = NontransactionalRun(self._context, self._step, self.statements)
        self.nontransactional = self.statements.statement = statement
        try:
            yield from run.run(statement, unsure=unsure)
        except Interruption:
            run.clear_leftovers(statement)
            raise
        finally:
            self.leftover_note = run.leftover_note
