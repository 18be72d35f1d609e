"""Running the segments of one step: each a transaction with its record in the ledger, or a statement that stands alone."""

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
"""Make the record of what was done, right after some SQL, and commit."""

_NOTHING = Segment((), True)


class SegmentRun:
    """Run the segments of one step, and remember what a failure has to tell.

    `awaits_disk` says whether each commit waits for the disk; `done` counts the segments that stand; `committing` says that a
    COMMIT is under way; `alone` is a statement outside any transaction whose effect is not recorded yet; `note` says what was
    done about its remains.
    """

    def __init__(self, context: RunContext, step: Step) -> None:
        self._s = context
        self._step = step
        self.awaits_disk = not step.script.single_transaction
        self._state = context.describe_session(awaits_disk=self.awaits_disk)
        self._prepares = any(statement.kind == "PrepareStmt" for statement in step.script.statements)
        self.statements = StatementRun(context, step)
        self.done = step.done
        self.committing = False
        self.alone: Statement | None = None
        self.note = ""

    def restore_settings(self) -> None:
        """Repeat the session settings of segments that are done, which went with the session, or with the transaction."""
        for statement in self._step.script.settings_before(self.done):
            self.statements.statement = statement
            run_sql(self._s.connection, statement.text)

    def run_segment(self, index: int, record: Record) -> Iterator[Event]:
        """Run a segment and record it; raises psycopg.Error when the server refuses it for good."""
        segment = self._step.script.segments[index]
        self.statements.statement = None
        if not segment.transactional:
            yield from self._run_alone(segment.statements[0], unsure=self._step.unsure and index == self._step.done)
            segment = _NOTHING
        yield from self._run_transaction(segment, record, last=index == len(self._step.script.segments) - 1)
        self.alone = None
        self.done = index + 1

    def record_end(self, record: Record) -> Iterator[Event]:
        """Record a step all of whose segments an earlier run has finished, because the rest of the file was deleted."""
        yield from self._run_transaction(_NOTHING, record, last=True)

    def _run_transaction(self, segment: Segment, record: Record, *, last: bool) -> Iterator[Event]:
        yield from self.statements.retry(
            lambda: self._try_transaction(segment, record, last), may_repeat=lambda: not self.committing
        )

    def _try_transaction(self, segment: Segment, record: Record, last: bool) -> Iterator[Event]:
        """Run the statements of a segment, and make the record of it, in one transaction."""
        connection, state = self._s.connection, self._state
        begin = state.begin(segment.begin)
        if self._s.pooled or not segment.statements:
            run_sql(connection, begin)
            begin = ""
        if self._s.pooled and segment.statements:
            self.restore_settings()
        for statement in segment.statements:
            yield from self.statements.run(statement, begin=begin)
            begin = ""
        self.statements.statement = self.alone
        self._s.lock.check()
        self.committing = True
        try:
            record(state.before_ledger(ends=last, prepares=self._prepares))
        except psycopg.Error:
            # A server that answers with an error has committed nothing.
            self.committing = is_lost(connection)
            raise
        self.committing = False

    def _run_alone(self, statement: Statement, *, unsure: bool) -> Iterator[Event]:
        run = NontransactionalRun(self._s, self._step, self.statements)
        self.alone = self.statements.statement = statement
        try:
            yield from run.run(statement, unsure=unsure)
        except Interruption:
            run.clear_remains(statement)
            raise
        finally:
            self.note = run.note
