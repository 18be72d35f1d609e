"""Statements that need more rights than the role of a rehearsal has: they are not checked, and no error of the file."""

from __future__ import annotations

import re

from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement

_DENIED = frozenset({"42501", "2F003"})
"""Insufficient privilege; a connection to another server without a password, which dblink allows superusers only."""
_RAISED = "P0001"
_NOT_GRANTED = frozenset({"01006", "01007"})
"""The warnings of a GRANT and a REVOKE that have no effect, because the role has no grant option.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_SUPERUSER = re.compile(r"\b(?:must be|only|requires?|need(?:s|ed)?)\b.*\bsuperusers?\b", re.IGNORECASE)
_READS_RIGHTS = re.compile(
    r"\b(?:rolsuper|usesuper|is_superuser|rolcreaterole|rolcreatedb|rolbypassrls|rolreplication|pg_has_role|has_\w+_privilege)\b",
    re.IGNORECASE,
)
_OWNER = re.compile(r'\bowner\s+to\s+("(?:[^"]|"")+"|[\w$]+)\s*$', re.IGNORECASE)


def find_denial(error: RunnerError, statement: Statement | None) -> str:
    """Return the server's reason if a statement failed for lack of a right; "" for any other error.

    A block that reads the rights of its role and raises an error is not wrong either.
    """
    reason = error.message.partition("\n")[0]
    if error.sqlstate in _DENIED or _SUPERUSER.search(reason):
        return reason
    if error.sqlstate == _RAISED and statement is not None and _READS_RIGHTS.search(statement.text):
        return reason
    return ""


def is_without_effect(sqlstate: str | None) -> bool:
    """Return True if a warning states that a privilege was not granted or revoked."""
    return sqlstate in _NOT_GRANTED


def find_owner(statement: Statement) -> str:
    """Return the new owner if a statement only changes an owner, as a dump does for each object; else ""."""
    match = _OWNER.search(statement.text)
    return match[1].lower() if match else ""
