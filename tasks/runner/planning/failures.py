"""Turning what the server said into an error for a person: where in the file, what stands, what to do next."""

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
    "42501": "The user in DATABASE_URL lacks a privilege for this; ask for it (GRANT …), or use the owner's URL.",
    "25006": "This server only reads (a replica, or default_transaction_read_only is on). Use the primary's URL.",
    "25001": "Put the statement into a file of its own, or write `-- migrate: no-transaction` into the header.",
    "2D000": "It commits by itself: write `-- migrate: no-transaction` into the file's header.",
    "55P04": "A new enum value cannot be used in the transaction that adds it: ALTER TYPE … ADD VALUE needs an earlier file.",
    "57014": "It was cancelled: by statement_timeout (SET LOCAL statement_timeout = 0 lifts it), or by an administrator.",
    "53100": "The server's disk is full. Make room, then run the same command again.",
    "53200": "The server ran out of memory. Try again when it is quieter.",
    "55P03": "Another session holds the lock. End it (SELECT pg_terminate_backend(PID);) or run again when it is done;\n"
    "LOCK_TIMEOUT and LOCK_ATTEMPTS say how long to wait.",
    "40P01": "Two sessions waited for each other. Run the same command again.",
}
_BLOCK = re.compile(r"\binline_code_block\D+(\d+)")
_COPIED = re.compile(r"^COPY .+?, \D+ (\d+)", re.MULTILINE)
"""Where the server's words name a line, whichever language it speaks."""
_LOST = "The connection to the server was lost. When it is back,"
_DEFAULT = "Mend the file and run the command again."


def is_lost(connection: psycopg.Connection) -> bool:
    """Tell whether a session is gone, so that nothing more can be asked of it."""
    return connection.closed or connection.broken


def describe_reason(error: psycopg.Error) -> str:
    """Give the server's own words for an error, in one line."""
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
    way_on: str = RESUME_HINT,
) -> StatementError:
    """Describe a refused statement with its place in the file, as the server's position says it.

    `shift` is the number of characters that were sent before it in the same message, `way_on` says how the run goes on.
    """
    diag, text = error.diag, statement.text if statement else ""
    lines = [part for part in (describe_reason(error), diag.message_detail, diag.context) if part]
    lines += _count_copied(diag.context or "", step, statement)
    hints = [diag.message_hint] if diag.message_hint else []
    if lost:
        hints.append(_go_on_when_back(way_on))
    else:
        hints += [_HINTS.get(error.sqlstate or "", _DEFAULT), *([way_on] if way_on != RESUME_HINT else [])]
    lines += [
        f"blocked by pid {b.pid} ({b.user}, {b.application or 'no application name'}, {b.state} since {b.since}): {b.query}"
        for b in blockers
    ]
    return StatementError(
        redact("\n".join(lines), url, beside=text),
        hint=redact("\n".join(hints), url),
        state=state,
        place=hide_passwords(_find_place(error, step, statement, shift), text),
        sqlstate=error.sqlstate or "",
    )


def describe_server_error(error: psycopg.Error, url: str, state: str = "No migration was running.") -> RunnerError:
    """Describe an error that the server raised while the ledger was read or written, outside any statement of a file."""
    hint = _HINTS.get(error.sqlstate or "", _go_on_when_back(RESUME_HINT) if error.sqlstate is None else "")
    return RunnerError(
        redact(describe_reason(error), url),
        hint=hint or "Mend that and run the same command again.",
        state=state,
        sqlstate=error.sqlstate or "",
    )


def _go_on_when_back(way_on: str) -> str:
    return f"{_LOST} {way_on[0].lower()}{way_on[1:]}"


def _find_place(error: psycopg.Error, step: Step, statement: Statement | None, shift: int) -> Place:
    """Give file, line and column; the server counts characters from the beginning of what was sent to it, from 1."""
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
    """Hide in a source line the passwords of the statement that it is a part of."""
    source, column = redact_line(place.source, place.column, beside=statement)
    return replace(place, source=source, column=column)


def _find_block_line(context: str, statement: Statement) -> int:
    """Find the line of the file in which a DO block failed, or 0; the server counts from the block's opening quote.

    The last line of the context is the outermost call.
    """
    match = _BLOCK.search(context.rpartition("\n")[2])
    if match is None or statement.kind != "DoStmt":
        return 0
    body = next(token for token in tokenize(statement.text) if token.kind in STRINGS)
    return statement.line + statement.text.count("\n", 0, body.start) + int(match[1]) - 1


def _count_copied(context: str, step: Step, statement: Statement | None) -> list[str]:
    """Say which line of the file holds the row that a COPY refused; the server counts the lines of the data."""
    match = _COPIED.search(context)
    if match is None or statement is None or statement.copy_data is None:
        return []
    end = step.source.text.find("\n", statement.offset + len(statement.text))
    line = step.source.text.count("\n", 0, end + 1) + int(match[1])
    return [f"That row is line {line} of {step.source.shown}."]


def find_place(text: str, shown: str, offset: int) -> Place:
    """Give line, column and source line of a character offset in a file's text."""
    offset = min(offset, len(text))
    start = text.rfind("\n", 0, offset) + 1
    bom = 1 if start == 0 and text.startswith("\ufeff") else 0
    return Place(shown, text.count("\n", 0, offset) + 1, offset - start - bom + 1, _read_line(text, offset))


def find_line(text: str, shown: str, line: int) -> Place:
    """Give the place of a line, counted from 1."""
    offset = -1
    for _ in range(line - 1):
        offset = text.find("\n", offset + 1)
    return find_place(text, shown, offset + 1)


def _read_line(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : end if end >= 0 else len(text)].rstrip("\r").lstrip("\ufeff")
