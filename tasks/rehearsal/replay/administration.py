"""Statements about extensions that the administrator carries out for a rehearsal, where the file has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from operator import is_

import psycopg

from tasks.rehearsal.errors import ON_SCRATCH
from tasks.rehearsal.replay.extension_blocks import read_requests, rewrite
from tasks.rehearsal.replay.extensions import find_created
from tasks.rehearsal.replay.scratch_run import Failure, ScratchRun
from tasks.rehearsal.replay.server_wide import divide, leave_out
from tasks.rehearsal.scratch.extensions import ExtensionStatement, UnsafeExtensionError, make_creation, read_statement
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.database.session import connect
from tasks.runner.errors import StatementError
from tasks.runner.parsing import Statement
from tasks.runner.planning.plan import Step
from tasks.runner.planning.server_texts import describe_reason, describe_text

_CATCHES = re.compile(r"\bwhen\b.*\b(?:others|insufficient_privilege|sqlstate)\b", re.IGNORECASE | re.DOTALL)
_UNDOABLE = frozenset({"42501", "0A000"})
"""The errors of an administrator who is no superuser, and of an extension that cannot be moved as its control file says."""
_NEEDS_SUPERUSER = """
SELECT name::text FROM pg_catalog.pg_available_extension_versions
 WHERE name = ANY (%s) AND superuser AND NOT trusted GROUP BY name HAVING NOT bool_or(installed)
"""


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a statement: the rest of the step if it was carried out, its error if it is wrong, else the reason."""

    step: Step | None = None
    failure: Failure | None = None
    denial: str = ""


def create_extensions(database: ScratchDatabase, step: Step) -> None:
    """Create the extensions that a step creates if they do not exist, and that its role may not create.

    For a step that runs in another process, and gets the server's error for an extension that cannot be created safely. Raises
    ConnectError or psycopg.Error.
    """
    wanted = [
        each
        for statement in step.script.statements
        if statement.kind == "CreateExtensionStmt" and (each := read_statement(statement.text, statement.kind))
        if each.fields.get("if_not_exists")
    ]
    if not wanted or not database.server.limited:
        return
    with connect(database.url, name="migrate-read") as connection:
        needed = {row[0] for row in connection.execute(_NEEDS_SUPERUSER, [[name for each in wanted for name in each.names]])}
    for each in wanted:
        if not needed.isdisjoint(each.names):
            with suppress(UnsafeExtensionError):
                database.server.administer_extension(database, each, "public")


class Administration:
    """The administrator's part in the run of one step.

    `acted` is true once something was done, which the step's rollback does not undo.
    """

    def __init__(self, database: ScratchDatabase, scratch_run: ScratchRun) -> None:
        self._database = database
        self._scratch_run = scratch_run
        self._tried: list[Statement] = []
        self.acted = False

    def begin(self, step: Step) -> None:
        """Begin with a step: create the extensions of blocks that would catch the error of a role without rights.

        An error is not reported: the block decides then.
        """
        self._tried.clear()
        self.acted = False
        if not self._database.server.limited:
            return
        names = [
            name
            for statement in step.script.statements
            if statement.kind == "DoStmt" and _CATCHES.search(statement.text)
            for name in find_created(statement.text)
        ]
        if names:
            rows = self._scratch_run.connection.execute(_NEEDS_SUPERUSER, [names]).fetchall()
            for row in rows:
                with suppress(UnsafeExtensionError, psycopg.Error):
                    self._carry_out([make_creation(row[0])])

    def handle(self, step: Step, failure: Failure, denial: str) -> Handled:
        """Carry out the statement that failed for lack of rights, if it is about extensions.

        What the file has before the statement is committed first.
        """
        statement = failure.statement
        if statement is None or any(statement is each for each in self._tried):
            return Handled(denial=denial)
        wanted = read_statement(statement.text, statement.kind)
        block = "" if wanted or statement.kind != "DoStmt" else rewrite(statement.text)
        if wanted is None and not block:
            return Handled(denial=denial)
        done = self._scratch_run.read_done(step)
        divided = divide(step, statement)
        if divided is not None:
            return Handled(replace(divided, done=done))
        self._tried.append(statement)
        settings = step.script.settings_before(done)
        try:
            wanted_ones = [wanted] if wanted else read_requests(self._scratch_run.ask(block, settings))
            self._carry_out(wanted_ones, settings, catches="exception" in block.lower())
        except UnsafeExtensionError as error:
            return Handled(denial=error.message)
        except psycopg.Error as error:
            if error.sqlstate in _UNDOABLE:
                return Handled(denial=describe_reason(error, statement))
            return Handled(failure=replace(failure, error=_describe(error, failure)))
        step, _ = leave_out(step, partial(is_, statement))
        return Handled(replace(step, done=done))

    def _carry_out(
        self, statements: Sequence[ExtensionStatement], settings: Sequence[Statement] = (), *, catches: bool = False
    ) -> None:
        """Carry out statements while no session of the rehearsal is open; raises UnsafeExtensionError or psycopg.Error.

        `settings` are the statements before them that change the session's settings. An error of a block that catches errors
        ends it.
        """
        schema = self._scratch_run.read_schema(settings)
        self._scratch_run.close()
        try:
            for statement in statements:
                self._database.server.administer_extension(self._database, statement, schema)
                self.acted = True
        except psycopg.Error:
            if not catches:
                raise
        finally:
            self._scratch_run.reopen()


def _describe(error: psycopg.Error, failure: Failure) -> StatementError:
    message, hint = describe_text(error, statement=failure.statement), error.diag.message_hint or ""
    return StatementError(message, hint=hint, state=ON_SCRATCH, place=failure.error.place, sqlstate=error.sqlstate or "")
