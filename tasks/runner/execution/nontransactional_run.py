"""Running a statement outside any transaction: what an attempt before it left is cleared, and what it leaves itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.tokens import tokenize
from tasks.runner.database.dead_runs import end_repetition
from tasks.runner.database.session import run_sql
from tasks.runner.events import Event, NoticeRaised, Waiting
from tasks.runner.execution.leftovers import WAITING_KINDS, Leftovers, find_remains
from tasks.runner.execution.statement_run import StatementRun
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import is_lost
from tasks.runner.planning.plan import Step

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext

COMMITTING_KINDS = frozenset({"CallStmt", "DoStmt"})
"""Statements that may have committed a part of what they do before they fail; they are never tried again."""
_TOLD_EVERY_S = 5.0


class NontransactionalRun:
    """Run one statement; `note` says afterwards what a failure left, or what was done about it."""

    def __init__(self, context: RunContext, step: Step, statements: StatementRun) -> None:
        self._s = context
        self._step = step
        self._statements = statements
        self.note = ""

    def run(self, statement: Statement, *, unsure: bool) -> Iterator[Event]:
        """Run the statement, unless an attempt that broke off had finished it, which `unsure` holds possible."""
        waits = _waits_patiently(statement)
        with self._timeouts(waits):
            if unsure:
                yield from end_repetition(self._s.connection, self._s.stop, statement.text)
            if waits:
                yield from self._wait_out_transactions(statement)
            remains = find_remains(self._s.connection, statement.target)
            if unsure and remains.done:
                yield self._note(f"line {statement.line} had finished before its run broke off: {statement.label}")
                return
            yield from self._clear(remains)
            if not remains.replaces:
                yield from self._run(statement, waits)

    def clear_remains(self, statement: Statement) -> None:
        """Clear the pieces of a statement that broke off, and note what was done; what stays, the next run clears."""
        if is_lost(self._s.connection):
            return
        if statement.kind in COMMITTING_KINDS:
            self.note = f"{statement.label} may have committed a part of its work; the next run runs it again."
            return
        try:
            remains = find_remains(self._s.connection, statement.target)
            if not remains.pieces or remains.replaces:
                return
            with self._timeouts(waits=False):
                for command in remains.cleanup:
                    run_sql(self._s.connection, command)
        except psycopg.Error:
            self.note = "It left an invalid index, which the next run drops."
        else:
            self.note = f"The invalid index that it left ({', '.join(remains.pieces)}) was dropped."

    def _run(self, statement: Statement, waits: bool) -> Iterator[Event]:
        """Run it, again where a lock was in the way, and look at what came of it."""
        repeatable = not waits and statement.kind not in COMMITTING_KINDS
        try:
            yield from self._statements.retry(lambda: self._statements.run(statement), may_repeat=lambda: repeatable)
            self._check_index(statement)
        except psycopg.Error:
            self.clear_remains(statement)
            raise

    @contextmanager
    def _timeouts(self, waits: bool) -> Iterator[None]:
        """Set the session's timeouts for a statement, where no pooler could hand them to somebody else."""
        if self._s.pooled:
            yield
            return
        before = self._swap_timeouts("0" if waits else f"{self._s.policy.lock_timeout_ms}ms", "0" if waits else None)
        try:
            yield
        finally:
            if not is_lost(self._s.connection):
                self._swap_timeouts(*before)

    def _swap_timeouts(self, lock: str, statement: str | None) -> tuple[str, str]:
        """Set lock_timeout (and statement_timeout, unless None) for the session, and give what they were."""
        row = self._s.connection.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), set_config('lock_timeout', %s, false),"
            " set_config('statement_timeout', coalesce(%s, current_setting('statement_timeout')), false)",
            [lock, statement],
        ).fetchone()
        return (row[0], row[1]) if row else ("0", "0")

    def _wait_out_transactions(self, statement: Statement) -> Iterator[Event]:
        """Wait for the transactions that a concurrent build would wait for, while there is nothing to leave behind."""
        target = statement.target
        if target is None or not target.table:
            return
        table = quote_qualified(target.table_schema, target.table)
        start, told = time.monotonic(), -_TOLD_EVERY_S
        limit = self._s.policy.lock_timeout_ms / 1000 * self._s.policy.attempts
        while blockers := self._s.watcher.find_long_transactions(table):
            seconds = time.monotonic() - start
            if seconds > limit:
                self._statements.blockers = blockers
                raise psycopg.errors.LockNotAvailable(
                    f"transactions that are older hold up {statement.label}; gave up after {seconds:.0f} s"
                )
            if seconds - told >= _TOLD_EVERY_S:
                told = seconds
                yield Waiting(self._step.version, statement.line, round(seconds, 1), blockers)
            self._s.stop.sleep(0.5)

    def _clear(self, remains: Leftovers) -> Iterator[Event]:
        """Clear the pieces of an attempt that broke off."""
        for piece, command in zip(remains.pieces, remains.cleanup, strict=True):
            yield self._note(f"{piece} is left from an attempt that broke off: {command}")
            yield from self._statements.run_sql(command)

    def _check_index(self, statement: Statement) -> None:
        """Make sure that a concurrently built index is valid: IF NOT EXISTS reports success over a useless one."""
        if statement.target is None or statement.target.kind != "create index":
            return
        remains = find_remains(self._s.connection, statement.target)
        if remains.pieces:
            raise psycopg.errors.ObjectNotInPrerequisiteState(f"the index {', '.join(remains.pieces)} came out invalid")

    def _note(self, message: str) -> NoticeRaised:
        return NoticeRaised(self._step.version, "NOTICE", message)


def _waits_patiently(statement: Statement) -> bool:
    """Tell whether a statement lets others work while it waits, and must not be broken off; a plain REINDEX does neither."""
    if statement.target is None or statement.target.kind not in WAITING_KINDS:
        return False
    return statement.target.kind != "reindex" or any(token.text.lower() == "concurrently" for token in tokenize(statement.text))
