"""What cannot run in the one transaction of an atomic run: the statements by which a plan is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tasks.runner.errors import Place
from tasks.runner.events import Finding
from tasks.runner.parsing.script import select
from tasks.runner.planning.plan import Plan, Source, Step

if TYPE_CHECKING:
    from tasks.runner.parsing import Statement
    from tasks.runner.parsing.directives import Header

NOT_ATOMIC = "not atomic"
"""The kind of the findings."""
IN_STEPS = "Run it without --atomic: each file then has its own transactions."
_STATED = "is to be in no transaction with others (`-- migrate: no-transaction`)"
_SETS_MODE = re.compile(r"SET\s+(?:(?:LOCAL|SESSION)\s+)?(?:TRANSACTION\b(?!\s+SNAPSHOT)|transaction_)", re.IGNORECASE)
"""SET TRANSACTION and its equivalents, which apply to the whole transaction."""


def find_obstacles(plan: Plan) -> tuple[Finding, ...]:
    """Return a refusal for each file of a plan that cannot share a transaction with the others."""
    return tuple(finding for step in plan.steps for finding in _find_in_step(step, alone=len(plan.steps) == 1))


def _find_in_step(step: Step, *, alone: bool) -> Iterator[Finding]:
    """Yield the refusal for the first obstacle in a file."""
    if step.done:
        message = f"{step.done} of its {len(step.script.segments)} segments are already committed, so not all of it can be undone"
        yield _refuse(step, None, message, hint="Finish it first: inv db.migrate, without --atomic.")
        return
    for statement, message in _list_obstacles(step, alone=alone):
        yield _refuse(step, statement, message)
        return


def _list_obstacles(step: Step, *, alone: bool) -> Iterator[tuple[Statement | None, str]]:
    segments, statements = step.script.segments, step.script.statements
    for segment in segments:
        if not segment.transactional:
            yield segment.statements[0], f"{segment.statements[0].label} runs outside a transaction"
    if _read_header(step.source).no_transaction and statements:
        yield statements[0], f"{statements[0].label} {_STATED}"
    if len(segments) > 1:
        first = segments[1].statements[0]
        yield first, f"{first.label} comes after a COMMIT of the file"
    if alone:
        return
    for segment in segments:
        if segment.begin:
            yield (
                next(iter(segment.statements), None),
                f"{segment.begin} sets the mode of a transaction, and the other files would share it",
            )
    for statement in select(statements, {"VariableSetStmt"}):
        if _SETS_MODE.match(statement.text):
            yield statement, f"{statement.label} sets the mode of its transaction, and the other files would share it"


def _read_header(source: Source) -> Header:
    from tasks.runner.parsing.directives import read_header
    from tasks.runner.parsing.large.script import read_large_header
    from tasks.runner.parsing.source_text import take_text

    if isinstance(source.content, str):
        return read_header(take_text(source.content, source.shown))
    return read_large_header(source.content)


def find_first(statements: Iterable[Statement], kinds: frozenset[str]) -> Statement | None:
    """Return the first statement of one of these kinds."""
    return next(select(statements, kinds), None)


def _refuse(step: Step, statement: Statement | None, message: str, hint: str = IN_STEPS) -> Finding:
    place = Place(step.source.shown, statement.line if statement else 0)
    return Finding(NOT_ATOMIC, step.version, f"cannot be part of an atomic run: {place}: {message}", refuses=True, hint=hint)
