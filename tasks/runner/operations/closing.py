"""Closing a ledger to others than its owner, and letting the roles of LEDGER_READERS read it, as a part of repair."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from tasks.runner.database.session import run_sql
from tasks.runner.events import RepairProposed
from tasks.runner.ledger.privileges import (
    Access,
    compose_grants,
    compose_revokes,
    find_access,
    refuse_unknown_readers,
)
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.tables import TABLE, TABLES
from tasks.runner.ledger.writing import Entry, Recorder

_REVOKE, _GRANT = "revoke privileges", "grant privileges"
CLOSING = frozenset({_REVOKE, _GRANT})
"""The changes of a repair that concern privileges."""


def find_ledger_access(connection: psycopg.Connection, ledger: Ledger, readers: tuple[str, ...]) -> Access:
    """Return the privileges on a ledger; without its tables, there are none."""
    if not ledger.exists and not ledger.helpers:
        return Access(ledger.schema)
    return find_access(connection, ledger.schema, TABLES, readers)


def propose_closing(connection: psycopg.Connection, ledger: Ledger, readers: tuple[str, ...]) -> dict[RepairProposed, str]:
    """Return the changes that would close a ledger, one for each role, with their SQL.

    Nothing is revoked from the current user, from a role that it inherits from, or from a member of the owner. Raises
    RefusedError if a reader does not exist.
    """
    access = find_ledger_access(connection, ledger, readers)
    refuse_unknown_readers(access)
    return {RepairProposed(TABLE, change, message): text for change, message, text in _propose(access)}


def _propose(access: Access) -> Iterator[tuple[str, str, str]]:
    closable = [grant for grant in access.grants if grant.is_closable]
    for role in dict.fromkeys(grant.shown_grantee for grant in closable):
        statements = compose_revokes(access, [grant for grant in closable if grant.shown_grantee == role])
        yield (
            _REVOKE,
            f"{role} has privileges on the ledger that only its owner needs:\n{_show(statements)}",
            "; ".join(statements),
        )
    statements = compose_grants(access)
    if statements:
        yield (
            _GRANT,
            f"LEDGER_READERS names roles that lack privileges on the ledger:\n{_show(statements)}",
            "; ".join(statements),
        )


def _show(statements: list[str]) -> str:
    return "\n".join(f"{statement};" for statement in statements)


def change_privileges(recorder: Recorder, proposal: RepairProposed, text: str) -> None:
    """Make a change that `propose_closing` proposed, and log it; the caller has the lock."""
    run_sql(recorder.connection, text)
    recorder.log(Entry("repair", "finished", note=f"{proposal.change}: {text}"))
