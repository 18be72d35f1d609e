"""Running pieces on one scratch database, by the code that runs migrations on any other."""

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
from tasks.rehearsal.model import Direction, Piece, Trial
from tasks.rehearsal.replay.extensions import handles_extension, needs_left_out
from tasks.rehearsal.replay.hints import explain
from tasks.rehearsal.replay.server_wide import describe, leave_out, skip_server_wide
from tasks.rehearsal.replay.walk import TIME_OVER, Failure, ScratchRun
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import describe_server_error
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.planning.sources import check_syntax

_LEFT_OUT = "left_out"
"""The key in the ledger's meta table under which place and text of what was left out stand, so that they go with a copy."""


class Rehearsal:
    """Run pieces on one scratch database in one session; to be used in a `with`.

    `timeout_s` bounds each piece, in seconds. A piece that fails is rolled back; what it had committed before, stands.
    """

    def __init__(self, database: ScratchDatabase, *, timeout_s: float | None = None) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._walk = ScratchRun(database.url)
        self._left_out: list[tuple[str, str]] = self._read_left_out() if database.without else []

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._walk.close()

    def read_catalog(self) -> Catalog:
        """Read the schema as it is now."""
        return read_catalog(self._walk.connection)

    def run(self, piece: Piece, direction: Direction) -> Trial:
        """Run one direction of a piece; what goes wrong with it is told, and not raised."""
        connection = self._walk.connection
        creates_role = roles.creates_role(piece.up if direction == "up" else piece.down or "")
        before = roles.list_roles(connection) if creates_role else set()
        try:
            step = piece.make_step(direction)
            check_syntax(connection, Plan(step.action, (step,)))
            marked = roles.list_marked(connection) if creates_role else set()
            step, skipped = skip_server_wide(step, before)
        except RunnerError as error:
            return Trial(error)
        # A role that a rehearsal made was tried when it was made.
        told = [statement for statement in skipped if statement.kind != "CreateRoleStmt" or not _names(statement.text, marked)]
        try:
            trial = self._run(step, tuple(describe(step, statement) for statement in told))
        except psycopg.Error as error:
            trial = Trial(describe_server_error(error, self._database.url), clean=False)
        if creates_role:
            roles.mark_new(self._walk.connection, before, step.source.text)
        return trial

    def _run(self, step: Step, unchecked: tuple[str, ...]) -> Trial:
        """Run a step, without what needs an extension that is left out."""
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
            done = self._walk.read_done(step)
            step, failed = leave_out(step, partial(is_, statement))
            step = replace(step, done=done)
            unchecked += self._note(step, failed)
        if without:
            self._write_left_out()
        return Trial(None, unchecked)

    def _lacks(self, error: RunnerError) -> bool:
        return needs_left_out(error, self._database.without, (text for _, text in self._left_out))

    def _note(self, step: Step, statements: Iterable[Statement]) -> tuple[str, ...]:
        """Remember what is left out, for what follows may need it."""
        noted = [(describe(step, statement), statement.text) for statement in statements]
        self._left_out += noted
        return tuple(place for place, _ in noted)

    def _try(self, step: Step) -> Failure | None:
        timer = Timer(self._timeout_s, self._walk.stop.request, (TIME_OVER,)) if self._timeout_s is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            return self._walk.run(step)
        finally:
            if timer:
                timer.cancel()
                timer.join()
            self._walk.renew()

    def _forget_row(self, step: Step) -> None:
        """Make room for the row of a piece that bears the name of one that ran before."""
        if step.action == "migrate" and step.version in self._walk.known:
            query = sql.SQL("DELETE FROM {} WHERE version = %s").format(self._walk.ledger.table())
            self._walk.connection.execute(query, [step.version])
        self._walk.known.add(step.version)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the statements that are left out of the state so far, because of extensions that are done without."""
        return tuple(place for place, _ in self._left_out)

    def _read_left_out(self) -> list[tuple[str, str]]:
        query = sql.SQL("SELECT value FROM {} WHERE key = %s").format(self._walk.ledger.table("_meta"))
        row = self._walk.connection.execute(query, [_LEFT_OUT]).fetchone()
        return [(place, text) for place, text in json.loads(row[0])] if row else []

    def _write_left_out(self) -> None:
        query = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        with suppress(psycopg.Error):
            self._walk.connection.execute(query.format(self._walk.ledger.table("_meta")), [_LEFT_OUT, json.dumps(self._left_out)])


def _names(text: str, names: set[str]) -> bool:
    return any(name in text for name in names)
