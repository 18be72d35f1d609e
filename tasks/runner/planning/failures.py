"""Errors of the server as errors for users: the place in the file, the state of the database, and the next step."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.encodings import UTF8
from tasks.postgres.masking import mask
from tasks.postgres.quoting import show_identifier
from tasks.postgres.representable import count_characters, fit_comments
from tasks.postgres.tokens import STRINGS, tokenize
from tasks.runner.clock import show_moment
from tasks.runner.database.fault_facts import read_facts
from tasks.runner.errors import RESUME_HINT, Place, RefusedError, RunnerError, StatementError
from tasks.runner.ledger.guard import describe_change
from tasks.runner.parsing.invisible import describe_invisible, find_invisible, list_invisible
from tasks.runner.parsing.large.places import locate
from tasks.runner.parsing.large.text import LARGE_FILE, TextRange
from tasks.runner.parsing.plain_queries import PLAIN_KINDS
from tasks.runner.parsing.script import Statements
from tasks.runner.planning.fault import build_fault
from tasks.runner.planning.hints import choose_hint
from tasks.runner.planning.server_texts import describe_reason, describe_text
from tasks.runner.planning.transaction_errors import find_transaction_hint
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.runner.database.fault_facts import FaultFacts
    from tasks.runner.events import Session
    from tasks.runner.parsing import Statement
    from tasks.runner.planning.plan import Source, Step

_BYTES = re.compile(r"\b0x([0-9a-f]{2})\b")
_LIMITS = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}
"""The limits that end a session. The runner lifts them, except for a statement outside a transaction behind a pooler."""
_ROW_SECURITY = "check_enable_rls"
"""The function of the server that refuses a query, under row_security = off, because a policy would hide rows.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html"""
_BLOCK = re.compile(r"\binline_code_block\D+(\d+)")
_COPIED = re.compile(r"^COPY .+?, \D+ (\d+)", re.MULTILINE)
"""Where messages of the server name a line, in any language."""
_LEDGER_GONE = frozenset({"42P01", "3F000"})
"""The errors of a record whose table or schema does not exist."""
_CHANGED = "Find out by what, and how to settle it: inv db.status\nIf it names nothing, others may add triggers: inv db.repair"
_LOST = "The connection to the server was lost. When it is back,"


def is_lost(connection: psycopg.Connection) -> bool:
    """Return True if a session is gone, so that it cannot be used any more."""
    return connection.closed or connection.broken


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
    encoding: str = UTF8,
    facts: FaultFacts | None = None,
    is_first: bool = False,
    cause: str = "",
    hint: str = "",
) -> StatementError:
    """Return the error for a statement that failed, with its place in the file from the server's position.

    `shift` is the number of characters that were sent before it in the same message, `next_step` a hint how to continue, and
    `encoding` that of the database. `is_first` means that no migration was applied before; `cause` and `hint` are what
    the caller has found out about this failure.
    """
    text = statement.head if statement else ""
    lines = [describe_text(error, cause, statement), *_count_copied(error.diag.context or "", step, statement)]
    lines += _list_invisible(step.source, statement) if statement else []
    if statement is None and error.sqlstate in _LEDGER_GONE:
        lines.append(f"{step.source.shown} drops or renames the tables of the ledger, or their schema")
    hints = [error.diag.message_hint] if error.diag.message_hint else []
    limit = _LIMITS.get(error.sqlstate or "")
    if limit:
        hints.append(f"{limit} ended the session. Remove it from the file, or lift it: ALTER ROLE … SET {limit} = 0;")
    if lost:
        hints.append(_describe_reconnect(next_step))
    else:
        fault = build_fault(
            error,
            statement=text,
            kind=statement.kind if statement else "",
            line=statement.line if statement else 0,
            script=_read_scope(step.source, statement),
            before=_list_before(step, statement),
            blockers=blockers,
            is_first=is_first,
            facts=facts,
        )
        hint = (
            hint
            or (_CHANGED if describe_change(error) else "")
            or find_transaction_hint(error.sqlstate, step, statement)
            or choose_hint(fault)
        )
        hints += [hint, *([next_step] if next_step != RESUME_HINT else [])]
    lines += [
        f"blocked by pid {b.pid} ({b.user}, {b.application or 'no application name'}, "
        f"{b.state} since {show_moment(b.since)}): {b.query}"
        for b in blockers
    ]
    return StatementError(
        redact("\n".join(lines), url, statement=_read_scope(step.source, statement)),
        hint=redact("\n".join(hints), url, statement=_read_scope(step.source, statement)),
        state=state,
        place=_find_place(error, step, statement, shift, encoding),
        sqlstate=error.sqlstate or "",
    )


def _read_scope(source: Source, statement: Statement | None) -> str:
    """Return the text whose secrets an error must not show: that of the file, of a large one the statement."""
    if isinstance(source.content, str):
        return source.content
    return statement.text if statement is not None and statement.size <= LARGE_FILE else statement.head if statement else ""


def _list_invisible(source: Source, statement: Statement) -> list[str]:
    """Return a line for each invisible character of a statement; a large one is not searched."""
    content = source.content
    if isinstance(content, str):
        return list_invisible(content, source.shown, statement)
    if statement.size > LARGE_FILE:
        return []
    text = statement.text
    return [describe_invisible(text[at], find_in_source(source, statement.offset + at)) for at in find_invisible(text)]


def find_facts(connection: psycopg.Connection, error: psycopg.Error, statement: Statement | None) -> FaultFacts:
    """Return what the server knows about an error of a statement; its transaction is rolled back."""
    from tasks.runner.parsing.declarations import find_names, find_reference

    text = statement.text if statement and statement.kind else ""
    needs_names = bool(text) and error.sqlstate == "42501"
    reference = find_reference(text, error.diag.constraint_name or "") if text and error.sqlstate == "23503" else None
    tables = find_names(text) if needs_names else ()
    return read_facts(connection, error, tables=tables, referenced=reference.referenced if reference else "")


def describe_uncommitted(error: psycopg.Error, state: str) -> str:
    """Return the state after a transaction failed; after a lost connection it is unknown whether it was committed."""
    is_refused = error.sqlstate is not None and not error.sqlstate.startswith(("57P", "08"))
    return state if is_refused else "The connection was lost: it is not known whether the changes were committed."


def _list_before(step: Step, statement: Statement | None) -> list[str]:
    """Return the statements that precede a failed one in its transaction."""
    for segment in step.script.segments:
        if statement in segment.statements:
            before = segment.statements[: segment.statements.index(statement)]
            if isinstance(before, Statements):
                return [each.head for each in before.select(before.kinds - PLAIN_KINDS)]
            return [each.text for each in before]
    return []


def describe_server_error(
    error: psycopg.Error,
    url: str,
    state: str,
    *,
    connection: psycopg.Connection | None = None,
) -> RunnerError:
    """Return the error for one that the server raised outside the statements of files: while it read or wrote a ledger.

    With an open connection, the server is asked for facts about it; its transaction is rolled back.
    """
    if error.diag.source_function == _ROW_SECURITY:
        return _describe_row_security(error, url, state)
    if describe_change(error):
        kind = RefusedError if state.startswith("No") else RunnerError
        return kind(describe_change(error), hint=_CHANGED, state=state, sqlstate=error.sqlstate or "")
    facts = read_facts(connection, error) if connection is not None else None
    hint = choose_hint(build_fault(error, facts=facts)) if error.sqlstate else _describe_reconnect(RESUME_HINT)
    return RunnerError(
        redact(describe_text(error), url),
        hint=redact("\n".join(filter(None, (error.diag.message_hint, hint))), url),
        state=state,
        sqlstate=error.sqlstate or "",
    )


def _describe_row_security(error: psycopg.Error, url: str, state: str) -> RunnerError:
    """Return the error for a table whose policies apply to the role of the run; the server names the table in quotes."""
    name = re.search(r'["«»„“]\s*(.+?)\s*["«»“”]', describe_reason(error))
    table = name[1] if name else "a table of the ledger"
    shown = show_identifier(name[1]) if name else "…"
    return RunnerError(
        f"the row-level security policies on {redact(table, url)} apply to this role, and may hide rows from it",
        hint=f"The ledger needs no policies, only privileges. As its owner, run:\n"
        f"  ALTER TABLE {shown} NO FORCE ROW LEVEL SECURITY;\n"
        f"  ALTER TABLE {shown} DISABLE ROW LEVEL SECURITY;\n"
        "Or run migrations as a role with BYPASSRLS. If an event trigger enables row-level security on each new table,\n"
        "let it skip the tables of the ledger.",
        state=state,
        sqlstate=error.sqlstate or "",
    )


def _describe_reconnect(next_step: str) -> str:
    return f"{_LOST} {next_step[0].lower()}{next_step[1:]}"


def _find_place(error: psycopg.Error, step: Step, statement: Statement | None, shift: int, encoding: str) -> Place:
    """Return file, line and column; the server counts the characters of the text that was sent to it, from 1."""
    source = step.source
    if statement is None:
        return Place(source.shown)
    if error.diag.statement_position:
        before = count_characters(statement.text, int(error.diag.statement_position) - shift - 1, encoding)
        return find_in_source(source, statement.offset + before, statement)
    if error.sqlstate == "22P05" and isinstance(source.content, str):
        return find_in_source(source, _find_character(describe_reason(error), source.content, statement, encoding))
    if not step.script.parsed:
        return Place(source.shown)
    line = _find_block_line(error.diag.context or "", statement)
    if line:
        return replace(find_line(source, line), column=0)
    return find_in_source(source, statement.offset, statement)


def _find_character(reason: str, text: str, statement: Statement, encoding: str) -> int:
    """Return the offset of the character that the database cannot represent, outside comments; the server writes its bytes."""
    written = bytes(int(byte, 16) for byte in _BYTES.findall(reason)).decode(errors="ignore")
    end = statement.offset + len(statement.text)
    sent = fit_comments(statement.text, encoding)
    for start, part in ((statement.offset, sent), (text.find("\n", end) + 1, statement.data)):
        at = part.find(written[0]) if written else -1
        if at >= 0:
            return start + at
    return statement.offset


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
    if isinstance(statement.copy_data, TextRange):
        line = statement.copy_data.file.count_before(statement.copy_data.start)[1] + int(match[1])
        return [f"That row is line {line} of {step.source.shown}."]
    end = step.source.text.find("\n", statement.offset + len(statement.text))
    line = step.source.text.count("\n", 0, end + 1) + int(match[1])
    return [f"That row is line {line} of {step.source.shown}."]


def find_place(text: str, shown: str, offset: int) -> Place:
    """Return line, column and source line of a character offset in a file's text, without secrets."""
    masked = mask(text)
    text, offset = masked.text, masked.move(min(offset, len(text)))
    start = text.rfind("\n", 0, offset) + 1
    bom = 1 if start == 0 and text.startswith("\ufeff") else 0
    return Place(shown, text.count("\n", 0, offset) + 1, offset - start - bom + 1, _read_line(text, offset))


def find_in_source(source: Source, offset: int, statement: Statement | None = None) -> Place:
    """Return the place of a character of a file, which the `statement` contains."""
    content = source.content
    if isinstance(content, str):
        return find_place(content, source.shown, offset)
    return locate(content, offset, since=None if statement is None else content.find_byte(statement.offset))


def find_line(source: Source, line: int) -> Place:
    """Return the place of a line, counted from 1."""
    if not isinstance(source.content, str):
        return find_in_source(source, source.content.count_before(source.content.find_line(line))[0])
    offset, text = -1, source.content
    for _ in range(line - 1):
        offset = text.find("\n", offset + 1)
    return find_place(text, source.shown, offset + 1)


def _read_line(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)].rstrip("\r")
    return line if start else line.removeprefix("\ufeff")
