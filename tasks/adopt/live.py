"""What a forecast reads from the live database in addition to its schema: only reads, with time limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.rehearsal.scratch.dump import dump_as_is
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError

_DUMP_TIMEOUT_S = 120.0
_LIMITS = "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'"

_UNAVAILABLE = """
SELECT wanted FROM unnest(%s::text[]) AS wanted
 WHERE wanted NOT IN (SELECT name::text FROM pg_available_extensions UNION ALL SELECT extname::text FROM pg_extension)
"""


@dataclass(frozen=True, slots=True)
class LiveDatabase:
    """A database that can be reached from here."""

    url: str

    def dump(self) -> str:
        """Return its schema as SQL; raises RunnerError if that is not possible in time."""
        return dump_as_is(self.url, timeout_s=_DUMP_TIMEOUT_S)

    def find_filled(self, tables: Collection[str]) -> frozenset[str]:
        """Return which tables, by their names in SQL, have rows, or may have some because they cannot be read."""
        try:
            with connect(self.url, name="migrate-adopt") as connection:
                return frozenset(_find_filled(connection, tables))
        except (RunnerError, psycopg.Error):
            return frozenset(tables)

    def list_unavailable(self, extensions: Collection[str]) -> frozenset[str]:
        """Return which extensions its server does not have; none if that cannot be read."""
        try:
            with connect(self.url, name="migrate-adopt") as connection:
                return frozenset(row[0] for row in connection.execute(_UNAVAILABLE, [sorted(extensions)]))
        except (RunnerError, psycopg.Error):
            return frozenset()


def _find_filled(connection: psycopg.Connection, tables: Collection[str]) -> Iterator[str]:
    for table in sorted(tables):
        row: tuple[bool] | None = (True,)
        with suppress(psycopg.Error), connection.transaction(force_rollback=True):
            connection.execute(_LIMITS)
            row = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.SQL(table))).fetchone()
        if row is None or row[0]:
            yield table
