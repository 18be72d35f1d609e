"""Reading the log of runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tasks.runner.database.addresses import describe_connection
from tasks.runner.events import HistoryRead, HistoryRow
from tasks.runner.execution.lock_times import read_lock_times
from tasks.runner.ledger.privileges import describe_unreadable
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.planning.choice import find_version
from tasks.runner.redaction import redact_stored

if TYPE_CHECKING:
    from tasks.runner.events import Event
    from tasks.runner.execution.migration_runner import MigrationRunner

_HISTORY = """
SELECT id, run_id::text, coalesce(version, ''), action, outcome, segments_done, segments_total, actor, host,
       coalesce(git_revision, ''), coalesce(git_dirty, false), tool_version, coalesce(sqlstate, ''), coalesce(error, ''),
       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), duration_ms,
       to_jsonb(l) ->> 'locks', (to_jsonb(l) ->> 'up_size')::bigint, (to_jsonb(l) ->> 'down_size')::bigint, count(*) OVER ()
  FROM {log} l
 WHERE %(version)s IN ('', version) AND (NOT %(locks)s OR to_jsonb(l) ->> 'locks' IS NOT NULL)
 ORDER BY id DESC LIMIT %(limit)s
"""


def read_history(runner: MigrationRunner, *, limit: int = 50, version: str = "", locks: bool = False) -> Iterator[Event]:
    """Yield the newest rows of the log, failures included, newest first; raises UsageError for an unknown version.

    `locks`: only the rows with the times of locks, and these times.
    """
    with runner.read() as connection:
        database = describe_connection(connection)
        ledger = read_ledger(connection, partial=True)
        rows: tuple[HistoryRow, ...] = ()
        total = 0
        unknown = describe_unreadable(ledger.schema, ["_log"]) if "_log" in ledger.unreadable else ""
        if ledger.complete and not unknown:
            if version:
                version = find_version(version, _list_logged(connection, ledger))
            query = sql.SQL(_HISTORY).format(log=ledger.table("_log"))
            answer = connection.execute(query, {"limit": limit, "version": version, "locks": locks}).fetchall()
            rows = tuple(_build_history_row(each, locks=locks) for each in answer)
            total = answer[0][-1] if answer else 0
    yield HistoryRead(runner.environment or ledger.environment, database, rows, unknown=unknown, total=total, locks=locks)


def _build_history_row(row: tuple[Any, ...], *, locks: bool) -> HistoryRow:
    *columns, times, up_size, down_size, _ = row
    found = replace(HistoryRow(*columns), up_size=up_size, down_size=down_size)
    return replace(found, error=redact_stored(found.error), locks=read_lock_times(times) if locks and times else ())


def _list_logged(connection: psycopg.Connection, ledger: Ledger) -> list[str]:
    query = sql.SQL("SELECT DISTINCT version FROM {} WHERE version IS NOT NULL ORDER BY 1").format(ledger.table("_log"))
    return [row[0] for row in connection.execute(query)]
