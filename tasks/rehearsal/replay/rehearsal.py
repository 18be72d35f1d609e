"""Run migrations on one scratch database, by the code that runs them on any other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import is_
from threading import Timer
from types import TracebackType

import psycopg
from psycopg import sql

from tasks.catalog import Catalog, read_catalog
from tasks.rehearsal.errors import UNTOUCHED
from tasks.rehearsal.model import Direction, RehearsedMigration, Trial
from tasks.rehearsal.replay.extensions import handles_extension, needs_left_out
from tasks.rehearsal.replay.hints import explain
from tasks.rehearsal.replay.scratch_run import TIME_LIMIT, Failure, ScratchRun
from tasks.rehearsal.replay.server_wide import describe, leave_out, skip_server_wide
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import describe_server_error
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.planning.sources import check_syntax

_LEFT_OUT = "left_out"
"""The key in the ledger's meta table for place and text of skipped statements, so that copies of the database have them."""


class Rehearsal:
    """A session that runs migrations on one scratch database; to be used in a `with`.

    `timeout_s` is the time limit of each migration, in seconds. A migration that fails is rolled back, except for what it
    committed before.
    """

    def __init__(self, database: ScratchDatabase, *, timeout_s: float | None = None) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._scratch_run = ScratchRun(database.url)
        self._left_out: list[tuple[str, str]] = self._read_left_out() if database.without else []

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._scratch_run.close()

    def read_catalog(self) -> Catalog:
        """Read the current schema."""
        return read_catalog(self._scratch_run.connection)

    def run(self, migration: RehearsedMigration, direction: Direction) -> Trial:
        """Run one direction of a migration; its errors are returned, not raised."""
        connection = self._scratch_run.connection
        creates_role = roles.creates_role(migration.up if direction == "up" else migration.down or "")
        before = roles.list_roles(connection) if creates_role else set()
        try:
            step = migration.make_step(direction)
            check_syntax(connection, Plan(step.action, (step,)))
            marked = roles.list_marked(connection) if creates_role else set()
            step, skipped = skip_server_wide(step, before)
        except RunnerError as error:
            return Trial(error)
        # A role that a rehearsal created was checked then.
        reported = [
            statement for statement in skipped if statement.kind != "CreateRoleStmt" or not _names(statement.text, marked)
        ]
        try:
            trial = self._run(step, tuple(describe(step, statement) for statement in reported))
        except psycopg.Error as error:
            trial = Trial(describe_server_error(error, self._database.url, UNTOUCHED), clean=False)
        if creates_role:
            roles.mark_new(self._scratch_run.connection, before, step.source.text)
        return trial

    def _run(self, step: Step, unchecked: tuple[str, ...]) -> Trial:
        """Run a step without the statements that need an excluded extension."""
        without = self._database.without
        if without:
            step, handling = leave_out(step, lambda statement: handles_extension(statement.text, without))
            unchecked += self._note(step, handling)
        self._forget_row(step)
        while failure := self._try(step):
            statement = failure.statement
            if not without or statement is None or not self._lacks(failure.error):
                error = explain(failure, step, self._timeout_s, without)
                return Trial(error, unchecked, clean=failure.clean)
            done = self._scratch_run.read_done(step)
            step, failed = leave_out(step, partial(is_, statement))
            step = replace(step, done=done)
            unchecked += self._note(step, failed)
        if without:
            self._write_left_out()
        return Trial(None, unchecked)

    def _lacks(self, error: RunnerError) -> bool:
        return needs_left_out(error, self._database.without, (text for _, text in self._left_out))

    def _note(self, step: Step, statements: Iterable[Statement]) -> tuple[str, ...]:
        """Remember skipped statements, because later ones may need them; return their places."""
        noted = [(describe(step, statement), statement.text) for statement in statements]
        self._left_out += noted
        return tuple(place for place, _ in noted)

    def _try(self, step: Step) -> Failure | None:
        timer = Timer(self._timeout_s, self._scratch_run.stop.request, (TIME_LIMIT,)) if self._timeout_s is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            return self._scratch_run.run(step)
        finally:
            if timer:
                timer.cancel()
                timer.join()
            self._scratch_run.renew()

    def _forget_row(self, step: Step) -> None:
        """Delete the ledger row of an earlier migration with the same name."""
        if step.action == "migrate" and step.version in self._scratch_run.known:
            query = sql.SQL("DELETE FROM {} WHERE version = %s").format(self._scratch_run.ledger.table())
            self._scratch_run.connection.execute(query, [step.version])
        self._scratch_run.known.add(step.version)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the statements that were skipped so far because of excluded extensions."""
        return tuple(place for place, _ in self._left_out)

    def _read_left_out(self) -> list[tuple[str, str]]:
        query = sql.SQL("SELECT value FROM {} WHERE key = %s").format(self._scratch_run.ledger.table("_meta"))
        row = self._scratch_run.connection.execute(query, [_LEFT_OUT]).fetchone()
        return [(place, text) for place, text in json.loads(row[0])] if row else []

    def _write_left_out(self) -> None:
        query = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        with suppress(psycopg.Error):
            self._scratch_run.connection.execute(
                query.format(self._scratch_run.ledger.table("_meta")), [_LEFT_OUT, json.dumps(self._left_out)]
            )


def _names(text: str, names: set[str]) -> bool:
    return any(name in text for name in names)
