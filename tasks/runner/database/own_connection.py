"""Connections of the runner: whatever a session's settings are, our own SQL runs under ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.rows import Row, TupleRow
from psycopg.types.string import TextLoader

_UNKNOWN = 705
"""The type of a constant without a type, which psycopg does not know by its name (pg_type.dat)."""


class _TolerantLoader(TextLoader):
    """Loads text that need not be UTF-8, with an escape for each byte that is not."""

    def load(self, data: Buffer) -> str:
        """Return the text of the bytes."""
        return bytes(data).decode("utf-8", "backslashreplace")


class OwnCursor(psycopg.ClientCursor[Row]):
    """A cursor that puts our own settings in force for its statement, in the same round trip, unless they already are.

    A statement that cannot run in a transaction needs `run_sql`.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Run a statement under our own settings; the result is that of the statement."""
        own = find_missing_settings(self.connection)
        if not own:
            return super().execute(query, params, **options)
        super().execute(f"{own};\n{self.mogrify(query, params)}")
        mark_own(self.connection)
        for _ in own.split("; "):
            self.nextset()
        return self


class OwnConnection(psycopg.Connection[TupleRow]):
    """A session of the runner: `execute` and `transaction` are for our own SQL, `Execution` is for the statements of files.

    `pooled`: whether it goes through a pooler, so that no setting may outlive a transaction; `schemas`: those of the role's own
    search_path that exist, in its order, when the session was opened; `path`: the SQL that puts that search_path in force for a
    transaction behind a pooler; `own_settings`: the SQL that puts our own settings in force for a transaction, empty if the
    session has them anyway; `is_own`: whether they are in force in the open transaction; `ledger_owner`: the setting
    LEDGER_OWNER; `probed`: the answer to the query that was sent with the settings; `ahead`: what the message that began the
    open transaction has read.
    """

    pooled = False
    schemas: tuple[str, ...] = ()
    path = ""
    own_settings = ""
    is_own = False
    ledger_owner = ""
    probed: Any = None
    ahead: object = None

    def load_any_bytes(self) -> None:
        """Accept texts of a database that stores any bytes, in names too."""
        for kind in ("text", "varchar", "bpchar", "name", _UNKNOWN):
            self.adapters.register_loader(kind, _TolerantLoader)

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[psycopg.Transaction]:
        """Open a transaction under our own settings, which precede its first statement, or a savepoint in the open one."""
        find_missing_settings(self)
        before = self.is_own
        try:
            with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
        finally:
            # A rollback resets the settings.
            self.is_own = before


def find_own_settings(connection: psycopg.Connection[Any]) -> str:
    """Return the SQL that puts our own settings in force for a transaction; empty if the session has them anyway."""
    return connection.own_settings if isinstance(connection, OwnConnection) else ""


def find_missing_settings(connection: psycopg.Connection[Any]) -> str:
    """Return the SQL that must precede a statement of ours; empty if our own settings are in force."""
    if not isinstance(connection, OwnConnection) or not connection.own_settings:
        return ""
    if connection.info.transaction_status == pq.TransactionStatus.IDLE:
        connection.is_own = False
    return "" if connection.is_own else connection.own_settings


def mark_own(connection: psycopg.Connection[Any], *, own: bool = True) -> None:
    """Record whether our own settings are in force in the transaction that is open now."""
    if isinstance(connection, OwnConnection):
        connection.is_own = own


def find_schemas(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the schemas of the role's own search_path that existed when the session was opened, in its order.

    The search_path of a connection that the runner did not open is taken for that of the role.
    """
    if isinstance(connection, OwnConnection):
        return list(connection.schemas)
    row = psycopg.ClientCursor(connection).execute("SELECT pg_catalog.current_schemas(false)::pg_catalog.text[]").fetchone()
    return list(row[0]) if row else []
