"""Running a statement outside a transaction, with the cleanup of what an interrupted attempt left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import COMMITTING, Target
from tasks.runner.database.build_blockers import find_build_blockers
from tasks.runner.database.dead_runs import end_dead_statement
from tasks.runner.database.names import qualify_target
from tasks.runner.database.session import run_sql
from tasks.runner.events import Event, NoticeRaised, Waiting
from tasks.runner.execution.leftovers import Leftovers, find_leftovers, waits_without_timeout
from tasks.runner.execution.statement_run import StatementRun
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

_NOT_REPEATED = frozenset({"CallStmt", "DoStmt"})
"""Statements that are never retried: they may have committed a part of their work, and need not be repeatable."""
_SWAP_TIMEOUTS = """
pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout'),
       pg_catalog.set_config('lock_timeout', %s, false),
       pg_catalog.set_config('statement_timeout', coalesce(%s, pg_catalog.current_setting('statement_timeout')), false)
"""
_REPORT_EVERY_S = 5.0
_LOOK_EVERY_S = 0.5


class NontransactionalRun:
    """The run of one statement; `leftover_note` describes afterwards what a failure left, or how it was cleaned up."""

    def __init__(self, context: RunContext, step: Step, statements: StatementRun) -> None:
        self._context = context
        self._step = step
        self._statements = statements
        self.leftover_note = ""
        self._started = False
        self._target: Target | None = None
        self._foreign = Leftovers()
        """What a REINDEX found before it ran: the statement did not leave it, so it is not dropped."""

    def run(self, statement: Statement, *, unsure: bool) -> Iterator[Event]:
        """Run the statement; with `unsure`, skip it if an interrupted attempt has finished it."""
        waits = waits_without_timeout(statement)
        with self._timeouts(waits, statement.target):
            if unsure:
                yield from end_dead_statement(self._context.connection, self._context.stop, statement.text)
            if waits:
                yield from self._wait_out_transactions(statement)
            leftovers = find_leftovers(self._context.connection, self._target)
            if unsure and leftovers.done:
                yield self._build_notice(f"line {statement.line} was finished by the interrupted run: {statement.label}")
                return
            if statement.kind == "ReindexStmt" and not unsure:
                self._foreign, leftovers = leftovers, Leftovers()
            yield from self._clear(leftovers)
            if not leftovers.replaces:
                yield from self._run(statement, waits)

    def clear_leftovers(self, statement: Statement) -> None:
        """Drop what a failed statement left, and note that; the next run drops what cannot be dropped now."""
        if is_lost(self._context.connection) or not self._started:
            return
        if statement.target == COMMITTING:
            self.leftover_note = f"{statement.label} may have committed a part of its work; the next run runs it again."
            return
        try:
            leftovers = find_leftovers(self._context.connection, self._target).without(self._foreign)
            if not leftovers.objects or leftovers.replaces:
                return
            with self._timeouts(waits=False):
                for command in leftovers.cleanup:
                    run_sql(self._context.connection, command)
        except psycopg.Error:
            self.leftover_note = "It left an invalid index, which the next run drops."
        else:
            self.leftover_note = f"The invalid index that it left ({', '.join(leftovers.objects)}) was dropped."

    def _run(self, statement: Statement, waits: bool) -> Iterator[Event]:
        """Run the statement, with retries where that is possible, and check its index."""
        repeatable = not waits and statement.kind not in _NOT_REPEATED
        self._started = True
        try:
            attempt = partial(self._statements.run, statement)
            hold_back = self._statements.make_hold_back((statement,), qualified=self._context.pooled)
            yield from self._statements.retry(attempt, hold_back, may_repeat=lambda: repeatable)
            self._context.times.end_transaction()
            self._check_index()
        except psycopg.Error:
            self.clear_leftovers(statement)
            raise

    @contextmanager
    def _timeouts(self, waits: bool, target: Target | None = None) -> Iterator[None]:
        """Set the session's timeouts for a statement; not behind a pooler, where another client could inherit them.

        What the names of its `target` refer to is read in the same round trip.
        """
        if self._context.pooled:
            self._target = self._target or qualify_target(self._context.connection, target)[0]
            yield
            return
        lock = "0" if waits else f"{self._context.find_lock_timeout_ms(self._step.script)}ms"
        before = self._swap_timeouts(lock, "0" if waits else None, target)
        try:
            yield
        finally:
            if not is_lost(self._context.connection):
                self._swap_timeouts(*before)

    def _swap_timeouts(self, lock: str, statement: str | None, target: Target | None = None) -> tuple[str, str]:
        """Set lock_timeout (and statement_timeout, unless None) for the session, and return their previous values."""
        found, row = qualify_target(self._context.connection, target, _SWAP_TIMEOUTS, [lock, statement])
        self._target = self._target or found
        return row[0], row[1]

    def _wait_out_transactions(self, statement: Statement) -> Iterator[Event]:
        """Wait for the transactions that a concurrent build would wait for, before it can leave an invalid index.

        As in PostgreSQL, these are the transactions of the first look: on a busy server there are always some.
        https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
        """
        target = self._target
        if target is None or not target.table:
            return
        table = quote_qualified(target.table_schema, target.table)
        start, reported_at = time.monotonic(), -_REPORT_EVERY_S
        limit = self._context.policy.lock_timeout_ms / 1000 * self._context.policy.attempts
        connection, own = self._context.connection, self._context.describe_session().name
        first = blockers = find_build_blockers(connection, table, own=own)
        while blockers:
            seconds, sessions = time.monotonic() - start, tuple(blocker.session for blocker in blockers)
            if seconds > limit:
                self._statements.blockers = sessions
                raise psycopg.errors.LockNotAvailable(
                    f"older transactions block {statement.label}; gave up after {seconds:.0f} s"
                )
            if seconds - reported_at >= _REPORT_EVERY_S:
                reported_at = seconds
                yield Waiting(self._step.version, statement.line, round(seconds, 1), sessions)
            self._context.stop.sleep(_LOOK_EVERY_S)
            found = find_build_blockers(connection, table, own=own)
            blockers = tuple(blocker for blocker in found if blocker.builds or blocker in first)

    def _clear(self, leftovers: Leftovers) -> Iterator[Event]:
        """Clean up what an interrupted attempt left."""
        for name, command in zip(leftovers.objects, leftovers.cleanup, strict=True):
            yield self._build_notice(f"{name} was left by an interrupted attempt: {command}")
            yield from self._statements.run_sql(command)

    def _check_index(self) -> None:
        """Raise psycopg.Error for an invalid index: IF NOT EXISTS reports success for one."""
        if self._target is None or self._target.kind != "create index":
            return
        leftovers = find_leftovers(self._context.connection, self._target)
        if leftovers.objects:
            raise psycopg.errors.ObjectNotInPrerequisiteState(f"the index {', '.join(leftovers.objects)} is invalid")

    def _build_notice(self, message: str) -> NoticeRaised:
        return NoticeRaised(self._step.version, "NOTICE", message)
