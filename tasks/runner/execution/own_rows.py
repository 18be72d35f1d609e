"""The row that a file of several transactions inserts or deletes for itself in schema_migrations."""

from __future__ import annotations

import psycopg
from psycopg import sql

from tasks.runner.ledger.guard import write_guarded
from tasks.runner.ledger.reading import Ledger
from tasks.runner.planning.plan import Step

_RESTORE = """
INSERT INTO {ledger} SELECT * FROM jsonb_populate_record(NULL::{ledger}, %s::jsonb) ON CONFLICT (version) DO NOTHING
"""


class OwnRow:
    """The ledger row of a step, which is kept as it was until the last segment of the step.

    A file that inserts its own row in its first segment would count as applied if the run died there, and never be finished.
    """

    def __init__(self, connection: psycopg.Connection, ledger: Ledger, step: Step) -> None:
        self._connection = connection
        self._ledger = ledger
        self._step = step
        self._row: str | None = None
        self._inserts = step.action == "migrate" and step.script.records_itself
        if step.action == "rollback" and not step.script.single_transaction:
            query = sql.SQL("SELECT to_jsonb(l)::text FROM {ledger} l WHERE version = %s").format(ledger=ledger.table())
            row = connection.execute(query, [step.version], prepare=False).fetchone()
            self._row = row[0] if row else None

    def suppress(self) -> None:
        """Restore the row as it was before the step, in the open transaction."""
        if self._inserts:
            self._write("DELETE FROM {ledger} WHERE version = %s", self._step.version)
        if self._row is not None:
            self._write(_RESTORE, self._row)

    def _write(self, text: str, value: str) -> None:
        query = sql.SQL(text).format(ledger=self._ledger.table())
        write_guarded(self._connection, self._ledger.schema, ["schema_migrations"], query, [value])
