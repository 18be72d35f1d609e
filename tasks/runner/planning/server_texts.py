"""The texts of a server's error without the values of secrets that it quotes."""

from __future__ import annotations

import re

import psycopg

from tasks.postgres.masking import HIDDEN
from tasks.postgres.secret_words import speaks_of_secrets
from tasks.runner.ledger.guard import describe_change
from tasks.runner.parsing import Statement
from tasks.runner.redaction import redact_quoted

_ROW_IN_DETAIL = frozenset({"23502", "23514"})
"""The errors whose DETAIL is the whole row that fails, without the names of its columns."""
_ROW = re.compile(r"\(.*\)", re.DOTALL)
_LAST_VALUE = re.compile(r': ".*"$')
_QUOTED = re.compile(r'"([^"]+)"')
_DATA_FAULTS = "22"
"""The class of errors whose message may end in a value that a type refuses."""


def describe_reason(error: psycopg.Error, statement: Statement | None = None) -> str:
    """Return the server's message for an error, in one line; of the ledger's guard, what it found."""
    if describe_change(error):
        return describe_change(error)
    speaks = _speaks(error, statement)
    primary = " ".join((error.diag.message_primary or str(error).strip() or type(error).__name__).split())
    if speaks and (error.sqlstate or "").startswith(_DATA_FAULTS):
        primary = _LAST_VALUE.sub(f': "{HIDDEN}"', primary)
    if speaks and statement is not None and statement.copy_data:
        data = statement.data
        primary = _QUOTED.sub(lambda match: f'"{HIDDEN}"' if match[1] in data else match[0], primary)
    return redact_quoted(primary, speaks=speaks)


def describe_text(error: psycopg.Error, cause: str = "", statement: Statement | None = None) -> str:
    """Return the server's message with its cause, DETAIL and CONTEXT, each on lines of its own."""
    if describe_change(error):
        return describe_change(error)
    speaks = _speaks(error, statement)
    detail = error.diag.message_detail or ""
    if speaks and error.sqlstate in _ROW_IN_DETAIL:
        detail = _ROW.sub(f"({HIDDEN})", detail)
    quoted = (redact_quoted(each, speaks=speaks) for each in (detail, error.diag.context or ""))
    return "\n".join(part for part in (describe_reason(error, statement), cause, *quoted) if part)


def _speaks(error: psycopg.Error, statement: Statement | None) -> bool:
    """Return True if a statement, or the object of an error, has a word for a secret in its text or name."""
    diag = error.diag
    names = (diag.table_name, diag.column_name, diag.constraint_name and diag.constraint_name.removesuffix("_key"))
    return speaks_of_secrets(" ".join(filter(None, (statement.text if statement else "", *names))))
