"""Connections of the runner: whatever a session's settings are, our own SQL runs under ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import pq
from psycopg.rows import Row, TupleRow


class OwnCursor(psycopg.ClientCursor[Row]):
    """A cursor that puts our own settings in force for its statement, in the same round trip, unless a transaction is open.

    Whoever opens a transaction puts them in force for all of it. A statement that cannot run in a transaction needs `run_sql`.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Run a statement under our own settings; the result is that of the statement."""
        own = find_own_settings(self.connection)
        if not own or self.connection.info.transaction_status != pq.TransactionStatus.IDLE:
            return super().execute(query, params, **options)
        super().execute(f"{own};\n{self.mogrify(query, params)}")
        for _ in own.split("; "):
            self.nextset()
        return self


class OwnConnection(psycopg.Connection[TupleRow]):
    """A session of the runner: `execute` and `transaction` are for our own SQL, `Execution` is for the statements of files.

    `pooled`: whether it goes through a pooler, so that no setting may outlive a transaction; `own_settings`: the SQL that puts
    our own settings in force for a transaction, empty if the session has them anyway.
    """

    pooled = False
    own_settings = ""

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[psycopg.Transaction]:
        """Open a transaction under our own settings, or a savepoint in the open one."""
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if self.own_settings:
                self.execute(self.own_settings)
            yield transaction


def find_own_settings(connection: psycopg.Connection[Any]) -> str:
    """Return the SQL that puts our own settings in force for a transaction; empty if the session has them anyway."""
    return connection.own_settings if isinstance(connection, OwnConnection) else ""
