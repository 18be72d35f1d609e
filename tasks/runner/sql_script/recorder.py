"""The rows of the ledger as SQL for psql: what a run writes, with the values that only the session of the script knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tasks.postgres.representable import fit_name
from tasks.runner.database.session import read_encoding
from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.tables import BY_SCRIPT
from tasks.runner.ledger.writing import Entry, Recorder
from tasks.runner.sql_script.psql_text import quote_text

STARTED_AT = "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) AS migrate_started \\gset"
"""Keeps the time for the duration of a step; psql's variables are not affected by the settings of a file."""
_DURATION = (
    "((pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) - :'migrate_started'::pg_catalog.float8) * 1000)"
    "::pg_catalog.int4"
)


class ScriptRecorder(Recorder):
    """A recorder that collects its SQL instead of running it.

    The run has the id that the script creates when it runs. Its actor is the role that runs it, with the name of who wrote it.
    """

    def __init__(
        self, connection: psycopg.Connection, ledger: Ledger, identity: Identity, revision: Revision, *, keep_text: int
    ) -> None:
        super().__init__(connection, ledger, identity, revision, prepare=False, keep_text=keep_text)
        self._collected: list[str] = []

    @contextmanager
    def collect(self) -> Iterator[list[str]]:
        """Yield a list that contains what was recorded once the block ends."""
        before, self._collected = self._collected, []
        try:
            yield self._collected
        finally:
            self._collected = before

    def _stores_in_parts(self, values: Mapping[str, object]) -> bool:
        return False

    def _send(self, text: str, before: str) -> str | None:
        self._collected += [f"{part};" for part in (before, text) if part]
        return None

    def _describe(self, entry: Entry) -> dict[str, object]:
        written_by = fit_name(f"{BY_SCRIPT}{self.identity.actor}", read_encoding(self.connection))
        values = super()._describe(entry)
        if entry.outcome == "finished" and entry.duration_ms is not None:
            values["duration_ms"] = sql.SQL(_DURATION)
        return values | {
            "run_id": sql.SQL(":'migrate_run'::pg_catalog.uuid"),
            "actor": sql.SQL(f"pg_catalog.left(pg_catalog.concat(session_user, {quote_text(written_by)}), 255)"),
            "host": sql.SQL("coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), 'local')"),
        }

    def _fit(self, values: Mapping[str, object]) -> dict[str, object]:
        fitted = super()._fit(values)
        return {
            name: sql.SQL(quote_text(value)) if isinstance(value, str) and "\r" in value else value
            for name, value in fitted.items()
        }
