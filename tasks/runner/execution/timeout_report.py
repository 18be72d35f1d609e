"""Why a statement was cancelled: by which statement_timeout, who set it, and how to lift it for the file."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.database.setting_sources import find_setting_source

if TYPE_CHECKING:
    from tasks.runner.execution.segment_run import SegmentRun
    from tasks.runner.parsing import Statement
    from tasks.runner.planning.plan import Step

_CANCELED = "57014"
_SETS_TIMEOUT = re.compile(r"SET\s+(?:LOCAL\s+|SESSION\s+)?statement_timeout\b", re.IGNORECASE)
_SETS_LOCAL = re.compile(r"SET\s+LOCAL\b", re.IGNORECASE)
_ANOTHER = "Another session cancelled it (pg_cancel_backend). Run the same command again."
_TOLERANCE_MS = 10
"""The server's clock starts after ours, but both round."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What cancelled a statement, as a line of the message, and the hint."""

    cause: str
    hint: str


def explain_cancellation(
    failure: psycopg.Error, step: Step, run: SegmentRun, connection: psycopg.Connection, *, pooled: bool
) -> Cancellation | None:
    """Return what cancelled a statement of a file, after its transaction was rolled back; None if that cannot be found out.

    The server's message is in its own language, and the same SQLSTATE has other reasons, so the elapsed time decides.
    """
    statement = run.statements.statement
    if failure.sqlstate != _CANCELED or statement is None:
        return None
    own = [each for each in _list_effective(step, statement) if _SETS_TIMEOUT.match(each.text)]
    if own:
        return Cancellation(
            f"statement_timeout: set on line {own[-1].line}, {own[-1].label}", "Raise it there, or delete that statement."
        )
    source = None
    with suppress(psycopg.Error):
        source = find_setting_source(connection, "statement_timeout")
    if source is None:
        return None
    if not source.number or run.statements.elapsed_ms + _TOLERANCE_MS < source.number:
        return Cancellation("", _ANOTHER)
    cause = f"statement_timeout = {source.text}{f', set by {source.origin}' if source.origin else ''}"
    return Cancellation(cause, _compose_hint(statement.line, transactional=run.nontransactional is None, pooled=pooled))


def _list_effective(step: Step, statement: Statement) -> list[Statement]:
    """Return the statements before a statement, without each SET LOCAL that ended with its transaction."""
    found: list[Statement] = []
    for segment in step.script.segments:
        found = [each for each in found if not _SETS_LOCAL.match(each.text)]
        for each in segment.statements:
            if each.offset >= statement.offset:
                return found
            found.append(each)
    return found


def _compose_hint(line: int, *, transactional: bool, pooled: bool) -> str:
    """Return how to run a statement without the timeout: what is set for the session is reset after the file."""
    if transactional:
        return f"To run it without that limit, insert above line {line}:\nSET LOCAL statement_timeout = 0;"
    hint = f"To run it without that limit, insert above line {line}:\nSET statement_timeout = 0;"
    direct = "Set DIRECT_DATABASE_URL to a URL of the server itself: DATABASE_URL is that of a pooler, which keeps no setting.\n"
    return f"{direct}{hint}" if pooled else hint
