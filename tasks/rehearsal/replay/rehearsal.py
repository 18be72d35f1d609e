"""Run migrations on one scratch database, by the code that runs them on any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import is_
from threading import Timer
from types import TracebackType

import psycopg
from psycopg import sql

from tasks.catalog import Catalog, read_catalog, restrict
from tasks.rehearsal.errors import ON_SCRATCH, LockedOutError
from tasks.rehearsal.lacks import Lack, NotChecked
from tasks.rehearsal.model import Direction, RehearsedMigration, Trial
from tasks.rehearsal.replay.administration import Administration, Handled
from tasks.rehearsal.replay.extensions import handles_extension, needs_left_out
from tasks.rehearsal.replay.hints import explain
from tasks.rehearsal.replay.left_out import LeftOut, find_cause, read_left_out, write_left_out
from tasks.rehearsal.replay.missing import find_lack, find_wanted_role
from tasks.rehearsal.replay.privileges import find_denial, find_owner
from tasks.rehearsal.replay.scratch_run import TIME_LIMIT, Failure, ScratchRun, StatementObserver
from tasks.rehearsal.replay.server_wide import creates_one_of, describe, find_roles, leave_out, skip_server_wide
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement
from tasks.runner.planning.failures import describe_server_error
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.planning.sources import check_syntax
from tasks.runner.redaction import redact

Repair = Callable[[RunnerError, bool], bool]
"""Changes rows that make a step fail, and returns whether it did; gets the error, and whether the step left no changes."""

_MAKES_NOTHING = frozenset({"CopyStmt", "DeleteStmt", "InsertStmt", "UpdateStmt", "VariableSetStmt"})
"""The kinds of statements that create no object which a later statement could need."""


class Rehearsal:
    """A session that runs migrations on one scratch database; to be used in a `with`.

    `timeout_s` is the time limit of each migration, in seconds. A migration that fails is rolled back, except for what it
    committed before. `reshape` may change each step before it runs.
    """

    def __init__(
        self, database: ScratchDatabase, *, timeout_s: float | None = None, reshape: Callable[[Step], Step] | None = None
    ) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._reshape = reshape
        self._scratch_run = _open(database)
        self._administration = Administration(database, self._scratch_run)
        self._limited = database.server.limited
        self._left_out: list[LeftOut] = read_left_out(self._scratch_run.connection, self._scratch_run.ledger)
        self._roles: set[str] = set()
        """The roles that the current step names, and that rehearsals made."""
        self._made_late: set[str] = set()
        """Those of them whose absence was an error of the current step."""

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._scratch_run.close()

    def read_catalog(self) -> Catalog:
        """Read the current schema, as it is compared with that of the target."""
        return restrict(read_catalog(self._scratch_run.connection), self._database.server.target_version)

    def look(self, look: Callable[[psycopg.Connection], str]) -> str:
        """Return what a function reads in the session, under our own settings."""
        return look(self._scratch_run.connection)

    def observe(self, observer: StatementObserver | None) -> None:
        """Call an observer before and after each statement from now on."""
        self._scratch_run.observer = observer

    def run(self, migration: RehearsedMigration, direction: Direction, *, repair: Repair = lambda *_: False) -> Trial:
        """Run one direction of a migration; its errors are returned, not raised.

        After an error that `repair` answers with True, the migration resumes with the transaction that failed.
        """
        connection = self._scratch_run.connection
        text = migration.up if direction == "up" else migration.down or ""
        creates_role, named = roles.creates_role(text), roles.find_named(text)
        before = roles.list_roles(connection) if creates_role else set()
        self._roles.clear()
        try:
            step = migration.make_step(direction)
            if self._reshape:
                step = self._reshape(step)
            check_syntax(connection, Plan(step.action, (step,)))
            # A role that a rehearsal creates has no rights, whatever options the statement has.
            made = self._database.server.make_roles([*find_roles(step), *named]) if creates_role or named else set()
            self._roles.update(made.intersection(named))
            step, skipped = skip_server_wide(step, before | made)
        except RunnerError as error:
            return Trial(error)
        unchecked = tuple(describe(step, statement) for statement in skipped if not creates_one_of(statement, made))
        try:
            trial = self._run(step, unchecked, repair)
        except psycopg.Error as error:
            trial = Trial(describe_server_error(error, self._database.url, ON_SCRATCH), clean=False)
        if creates_role and not self._limited:
            roles.mark_new(self._scratch_run.connection, before, step.source.text)
        return trial

    def _run(self, step: Step, unchecked: tuple[str, ...], repair: Repair) -> Trial:
        """Run a step without the statements that need an excluded extension, or a right that the role does not have."""
        without = self._database.without
        known = len(self._left_out)
        if without:
            step, handling = leave_out(step, lambda statement: handles_extension(statement.text, without))
            self._note(step, handling)
        self._made_late.clear()
        self._forget_row(step)
        self._administration.begin(step)
        self._scratch_run.take_without_effect()
        while failure := self._try(step):
            if self._make_role(failure):
                step = replace(step, done=self._scratch_run.read_done(step))
                continue
            denial = find_denial(failure.error, failure.statement) if self._limited else ""
            handled = self._administration.handle(step, failure, denial) if denial else Handled()
            failure = handled.failure or failure
            following = handled.step or self._skip(step, failure, handled.denial)
            if following is None:
                error = explain(failure, step, self._timeout_s, without)
                clean = failure.clean and not self._administration.acted
                if not repair(error, clean):
                    return self._conclude(error, unchecked, known, clean=clean)
                following = replace(step, done=self._scratch_run.read_done(step))
            step = following
        if self._limited:
            for statement, reason in self._scratch_run.take_without_effect():
                self._note(step, [statement], f"the rehearsal's role may not do this: {reason}")
        if len(self._left_out) > known:
            write_left_out(self._scratch_run.connection, self._scratch_run.ledger, self._left_out)
        return self._conclude(None, unchecked, known)

    def _conclude(self, error: RunnerError | None, unchecked: tuple[str, ...], known: int, *, clean: bool = True) -> Trial:
        """Return the result of a step, with the statements that were left out since the first `known` ones."""
        new = self._left_out[known:]
        lacking = tuple(NotChecked(each.shown, each.lack) for each in new if each.lack)
        return Trial(error, unchecked + tuple(each.shown for each in new), clean, lacking, tuple(sorted(self._roles)))

    def _make_role(self, failure: Failure) -> bool:
        """Create the role that an error misses, or become a member of it; return False if there is none, or if that fails.

        The target has such a role. It is named in a block or function, or another rehearsal has made or just dropped it.
        """
        name = "" if failure.timed_out else find_wanted_role(failure.error)
        if not name or name in self._made_late:
            return False
        self._made_late.add(name)
        made = self._database.server.make_roles([name])
        self._roles |= made
        return bool(made)

    def _skip(self, step: Step, failure: Failure, denial: str) -> Step | None:
        """Return the step without a statement that cannot be checked here; None if the statement is wrong."""
        statement = failure.statement
        if denial:
            return self._skip_denied(step, statement, denial)
        if statement is None:
            return None
        reason, lack = self._find_reason(failure)
        if reason is None:
            return None
        done = self._scratch_run.read_done(step)
        step, failed = leave_out(step, partial(is_, statement))
        self._note(step, failed, reason, lack)
        return replace(step, done=done)

    def _find_reason(self, failure: Failure) -> tuple[str | None, Lack | None]:
        """Return why a statement cannot be checked, and what the server lacks for it; None for the reason if it is wrong."""
        error, without = failure.error, self._database.without
        if needs_left_out(error, without, ()):
            return "", None
        cause = find_cause(error, self._left_out)
        if cause is not None:
            name, entry = cause
            reason = f"needs {name}, which {entry.place} would have made" if entry.denied or entry.lack else ""
            return reason, entry.lack
        lack = None if failure.timed_out else find_lack(error, failure.statement, self._database.server.administer())
        if lack is None:
            return None, None
        # A role never prevents an answer, nor does what the command excludes.
        return (
            f"needs {lack}, which the scratch server does not have",
            None if lack.kind == "role" or lack.name in without else lack,
        )

    def _skip_denied(self, step: Step, statement: Statement | None, denial: str) -> Step:
        """Return the step without a statement that needs more rights, and without those that set the same owner."""
        done = self._scratch_run.read_done(step)
        if statement is not None:
            step, assumed = leave_out(step, lambda each: each.offset < statement.offset and self._assumes_role(each))
            if assumed:
                self._note(step, assumed, "the role was made for the rehearsal, and has no rights here")
                return replace(step, done=done)
        reason = f"the rehearsal's role may not do this: {denial}"
        if statement is None:
            remaining = [each for segment in step.script.segments[done:] for each in segment.statements]
            step, failed = leave_out(step, lambda each: any(each is one for one in remaining))
            self._note(step, failed, reason)
            return replace(step, done=done)
        owner = find_owner(statement)
        step, failed = leave_out(step, lambda each: each is statement or bool(owner and find_owner(each) == owner))
        if owner:
            more = f" and {len(failed) - 1} more of this kind" if len(failed) > 1 else ""
            place = f"{step.source.shown}:{statement.line}"
            self._left_out.append(LeftOut(f"{describe(step, statement)}{more}: {redact(reason)}", place, "", denied=True))
        else:
            self._note(step, failed, reason)
        return replace(step, done=done)

    def _assumes_role(self, statement: Statement) -> bool:
        """Return True for a SET ROLE whose role the rehearsal made."""
        return statement.kind == "VariableSetStmt" and not self._roles.isdisjoint(roles.find_named(statement.text))

    def _note(self, step: Step, statements: Sequence[Statement], reason: str = "", lack: Lack | None = None) -> None:
        """Remember statements that were left out, because later ones may need what they make."""
        for statement in statements:
            shown = (
                f"{describe(step, statement)}: {redact(reason, statement=statement.text)}"
                if reason
                else describe(step, statement)
            )
            text = "" if statement.kind in _MAKES_NOTHING else statement.text
            place = f"{step.source.shown}:{statement.line}"
            self._left_out.append(LeftOut(shown, place, text, denied=bool(reason) and lack is None, lack=lack))

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
    def server(self) -> ScratchServer:
        """Return the server of the database."""
        return self._database.server

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the statements that were left out so far, because of excluded extensions or for lack of rights."""
        return tuple(self._left_out)


def _open(database: ScratchDatabase) -> ScratchRun:
    """Open a session; raises LockedOutError if what a migration changed prevents it.

    It may change the password and the settings of its role, which is another role on the target.
    """
    with suppress(RunnerError):
        return ScratchRun(database.url)
    database.server.restore_role()
    try:
        return ScratchRun(database.url)
    except RunnerError as error:
        raise LockedOutError(
            f"no run can begin in this state of the scratch database: {error.message}",
            hint="Look in this migration and those before it for statements that revoke CONNECT, limit the connections,\n"
            "change settings of the database or the role, or change the tables schema_migrations….",
            state=ON_SCRATCH,
            sqlstate=error.sqlstate,
        ) from error
