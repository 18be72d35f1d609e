"""Errors of the server as errors for users: the place in the file, the state of the database, and the next step."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg

from tasks.postgres.tokens import STRINGS, tokenize
from tasks.runner.errors import RESUME_HINT, Place, RunnerError, StatementError
from tasks.runner.events import Session
from tasks.runner.parsing import Statement
from tasks.runner.planning.plan import Step
from tasks.runner.redaction import redact, redact_line

_HINTS = {
    "42501": "The user in DATABASE_URL lacks a privilege. Ask for it (GRANT …), or use the URL of the owner.",
    "25006": "This server is read-only: a replica, or default_transaction_read_only is on. Use the URL of the primary.",
    "25001": "Move the statement to a file of its own, or add `-- migrate: no-transaction` at the top of the file.",
    "2D000": "The statement commits itself: add `-- migrate: no-transaction` at the top of the file.",
    "55P04": "A new enum value cannot be used in the transaction that adds it: ALTER TYPE … ADD VALUE needs an earlier file.",
    "57014": "It was cancelled, by statement_timeout (SET LOCAL statement_timeout = 0 disables it) or by an administrator.",
    "53100": "The server's disk is full. Free some space, then run the same command again.",
    "53200": "The server ran out of memory. Run the same command again when the load is lower.",
    "55P03": "Another session has the lock. End it (SELECT pg_terminate_backend(PID);), or run again when it is done.\n"
    "LOCK_TIMEOUT and LOCK_ATTEMPTS set how long to wait.",
    "40P01": "Two sessions waited for each other. Run the same command again.",
}
_BLOCK = re.compile(r"\binline_code_block\D+(\d+)")
_COPIED = re.compile(r"^COPY .+?, \D+ (\d+)", re.MULTILINE)
"""Where messages of the server name a line, in any language."""
_LOST = "The connection to the server was lost. When it is back,"
_DEFAULT = "Fix the file, then run the command again."


def is_lost(connection: psycopg.Connection) -> bool:
    """Return True if a session is gone, so that it cannot be used any more."""
    return connection.closed or connection.broken


def describe_reason(error: psycopg.Error) -> str:
    """Return the server's message for an error, in one line."""
    primary = error.diag.message_primary or str(error).strip() or type(error).__name__
    return " ".join(primary.split())


def build_statement_error(
    error: psycopg.Error,
    step: Step,
    statement: Statement | None,
    *,
    state: str,
    url: str,
    lost: bool,
    blockers: tuple[Session, ...] = (),
    shift: int = 0,
    next_step: str = RESUME_HINT,
) -> StatementError:
    """Return the error for a statement that failed, with its place in the file from the server's position.

    `shift` is the number of characters that were sent before it in the same message, `next_step` a hint how to continue.
    """
    diag, text = error.diag, statement.text if statement else ""
    lines = [part for part in (describe_reason(error), diag.message_detail, diag.context) if part]
    lines += _count_copied(diag.context or "", step, statement)
    hints = [diag.message_hint] if diag.message_hint else []
    if lost:
        hints.append(_describe_reconnect(next_step))
    else:
        hints += [_HINTS.get(error.sqlstate or "", _DEFAULT), *([next_step] if next_step != RESUME_HINT else [])]
    lines += [
        f"blocked by pid {b.pid} ({b.user}, {b.application or 'no application name'}, {b.state} since {b.since}): {b.query}"
        for b in blockers
    ]
    return StatementError(
        redact("\n".join(lines), url, statement=text),
        hint=redact("\n".join(hints), url),
        state=state,
        place=hide_passwords(_find_place(error, step, statement, shift), text),
        sqlstate=error.sqlstate or "",
    )


def describe_server_error(error: psycopg.Error, url: str, state: str = "No migration was running.") -> RunnerError:
    """Return the error for one that the server raised while the ledger was read or written, outside the statements of files."""
    hint = _HINTS.get(error.sqlstate or "", _describe_reconnect(RESUME_HINT) if error.sqlstate is None else "")
    return RunnerError(
        redact(describe_reason(error), url),
        hint=hint or "Fix that, then run the same command again.",
        state=state,
        sqlstate=error.sqlstate or "",
    )


def _describe_reconnect(next_step: str) -> str:
    return f"{_LOST} {next_step[0].lower()}{next_step[1:]}"


def _find_place(error: psycopg.Error, step: Step, statement: Statement | None, shift: int) -> Place:
    """Return file, line and column; the server counts the characters of the text that was sent to it, from 1."""
    source = step.source
    if statement is None:
        return Place(source.shown)
    if error.diag.statement_position:
        return find_place(source.text, source.shown, statement.offset + int(error.diag.statement_position) - shift - 1)
    if not step.script.parsed:
        return Place(source.shown)
    line = _find_block_line(error.diag.context or "", statement)
    if line:
        return replace(find_line(source.text, source.shown, line), column=0)
    return find_place(source.text, source.shown, statement.offset)


def hide_passwords(place: Place, statement: str) -> Place:
    """Return a place whose source line shows no password of the statement that it is a part of."""
    source, column = redact_line(place.source, place.column, statement=statement)
    return replace(place, source=source, column=column)


def _find_block_line(context: str, statement: Statement) -> int:
    """Return the line of the file in which a DO block failed, or 0; the server counts from the block's opening quote.

    The last line of the context is the outermost call.
    """
    match = _BLOCK.search(context.rpartition("\n")[2])
    if match is None or statement.kind != "DoStmt":
        return 0
    body = next(token for token in tokenize(statement.text) if token.kind in STRINGS)
    return statement.line + statement.text.count("\n", 0, body.start) + int(match[1]) - 1


def _count_copied(context: str, step: Step, statement: Statement | None) -> list[str]:
    """Return a line that names the file's line of the row that a COPY refused; the server counts the lines of the data."""
    match = _COPIED.search(context)
    if match is None or statement is None or statement.copy_data is None:
        return []
    end = step.source.text.find("\n", statement.offset + len(statement.text))
    line = step.source.text.count("\n", 0, end + 1) + int(match[1])
    return [f"That row is line {line} of {step.source.shown}."]


def find_place(text: str, shown: str, offset: int) -> Place:
    """Return line, column and source line of a character offset in a file's text."""
    offset = min(offset, len(text))
    start = text.rfind("\n", 0, offset) + 1
    bom = 1 if start == 0 and text.startswith("\ufeff") else 0
    return Place(shown, text.count("\n", 0, offset) + 1, offset - start - bom + 1, _read_line(text, offset))


def find_line(text: str, shown: str, line: int) -> Place:
    """Return the place of a line, counted from 1."""
    offset = -1
    for _ in range(line - 1):
        offset = text.find("\n", offset + 1)
    return find_place(text, shown, offset + 1)


def _read_line(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : end if end >= 0 else len(text)].rstrip("\r").lstrip("\ufeff")
