"""The row that a file writes or deletes for itself in schema_migrations, in a file that takes more than one transaction."""

from __future__ import annotations

import psycopg
from psycopg import sql

from tasks.runner.ledger.reading import Ledger
from tasks.runner.planning.plan import Step

_KEEP = """
INSERT INTO {ledger} SELECT * FROM jsonb_populate_record(NULL::{ledger}, %s::jsonb) ON CONFLICT (version) DO NOTHING
"""


class OwnRow:
    """Keep the ledger from saying that a step is done while segments of it are not: the row comes or goes with the last one.

    A file that inserts its own row with its first segment would pass for applied if the run ended there, and never be finished.
    """

    def __init__(self, connection: psycopg.Connection, ledger: Ledger, step: Step) -> None:
        self._connection = connection
        self._ledger = ledger.table()
        self._step = step
        self._row: str | None = None
        self._inserts = step.action == "migrate" and step.script.records_itself
        if step.action == "rollback" and not step.script.single_transaction:
            query = sql.SQL("SELECT to_jsonb(l)::text FROM {ledger} l WHERE version = %s")
            row = self._execute(query, step.version).fetchone()
            self._row = row[0] if row else None

    def suppress(self) -> None:
        """Make the row as it was before the step, in the transaction that is open."""
        if self._inserts:
            self._execute(sql.SQL("DELETE FROM {ledger} WHERE version = %s"), self._step.version)
        if self._row is not None:
            self._execute(sql.SQL(_KEEP), self._row)

    def _execute(self, query: sql.SQL, value: str) -> psycopg.Cursor:
        return self._connection.execute(query.format(ledger=self._ledger), [value], prepare=False)
