"""Statements with effects beyond their database, which a rehearsal must not run on the scratch server.

Shared objects: https://www.postgresql.org/docs/current/catalogs-overview.html. A subscription connects to another server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import replace

from tasks.rehearsal.errors import ON_SCRATCH, ServerWideError
from tasks.rehearsal.scratch.roles import find_created
from tasks.runner.errors import Place
from tasks.runner.parsing import Script, Segment, Statement
from tasks.runner.planning.plan import Step

_DROPS = frozenset({"DropdbStmt"})
_SKIPPED = frozenset(
    {
        "AlterDatabaseRefreshCollStmt", "AlterDatabaseSetStmt", "AlterDatabaseStmt", "AlterRoleSetStmt", "AlterRoleStmt",
        "AlterSubscriptionStmt", "AlterSystemStmt", "AlterTableSpaceOptionsStmt", "CreateSubscriptionStmt",
        "CreateTableSpaceStmt", "CreatedbStmt", "DropRoleStmt", "DropSubscriptionStmt", "DropTableSpaceStmt", "GrantRoleStmt",
    }
)  # fmt: skip
_ON_SHARED = re.compile(
    r"(?:grant|revoke)\b.*\bon\s+(?:database|tablespace)\b"
    r"|comment\s+on\s+(?:database|tablespace|role|subscription)\b"
    r"|alter\s+(?:database|role|tablespace|subscription)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORDED = frozenset({"GrantStmt", "CommentStmt", "RenameStmt", "AlterOwnerStmt"})


def leave_out(step: Step, leaves: Callable[[Statement], bool]) -> tuple[Step, tuple[Statement, ...]]:
    """Return a step without some statements, and these; the number of segments stays, so that a step can resume."""
    left_out = tuple(statement for statement in step.script.statements if leaves(statement))
    if not left_out:
        return step, ()
    segments = tuple(_thin(segment, left_out) for segment in step.script.segments)
    return replace(step, script=_rebuild(step.script, segments)), left_out


def skip_server_wide(step: Step, roles: Collection[str]) -> tuple[Step, tuple[Statement, ...]]:
    """Return a step without the statements that reach beyond the database or create an existing role, and these.

    Raises ServerWideError for a statement that would destroy a database.
    """
    for statement in step.script.statements:
        if statement.kind in _DROPS:
            raise ServerWideError(
                f"{statement.label}: a rehearsal does not drop databases, because the scratch server may have one of that name",
                hint="PostgreSQL does not let a migration drop its own database. Drop another one by hand.",
                state=ON_SCRATCH,
                place=Place(step.source.shown, statement.line),
            )
    return leave_out(step, lambda statement: _reaches_beyond(statement, roles))


def divide(step: Step, statement: Statement) -> Step | None:
    """Return a step whose transaction ends before a statement and continues with another; None if one begins there anyway."""
    segments: list[Segment] = []
    for segment in step.script.segments:
        place = next((number for number, each in enumerate(segment.statements) if each is statement), 0)
        parts = (segment.statements[:place], segment.statements[place:]) if place else (segment.statements,)
        segments += [replace(segment, statements=part) for part in parts]
    if len(segments) == len(step.script.segments):
        return None
    return replace(step, script=_rebuild(step.script, tuple(segments)))


def find_roles(step: Step) -> list[str]:
    """Return the names of the roles that a step creates, in blocks and functions too, as far as they are written out."""
    names: list[str] = []
    for statement in step.script.statements:
        names += [_read_role(statement.text)] if statement.kind == "CreateRoleStmt" else find_created(statement.text)
    return names


def creates_one_of(statement: Statement, names: Collection[str]) -> bool:
    """Return True if a statement creates one of these roles."""
    return statement.kind == "CreateRoleStmt" and _read_role(statement.text) in names


def describe(step: Step, statement: Statement) -> str:
    """Return a statement's file, line and first words."""
    return f"{step.source.shown}:{statement.line} {statement.label.rstrip(' (')}"


def _reaches_beyond(statement: Statement, roles: Collection[str]) -> bool:
    if statement.kind == "CreateRoleStmt":
        return _read_role(statement.text) in roles
    return statement.kind in _SKIPPED or (statement.kind in _WORDED and _ON_SHARED.match(statement.text) is not None)


def _read_role(text: str) -> str:
    from pglast.parser import parse_sql_json

    name: str = json.loads(parse_sql_json(text))["stmts"][0]["stmt"]["CreateRoleStmt"]["role"]
    return name


def _thin(segment: Segment, left_out: tuple[Statement, ...]) -> Segment:
    kept = tuple(statement for statement in segment.statements if statement not in left_out)
    # A segment of one non-transactional statement becomes an empty transaction.
    return replace(segment, statements=kept, transactional=segment.transactional or not kept)


def _rebuild(script: Script, segments: tuple[Segment, ...]) -> Script:
    return replace(script, segments=segments)
