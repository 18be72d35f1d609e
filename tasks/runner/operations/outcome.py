"""The outcome of a run whose connection was lost: read from the log by its id, and from the current sessions."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from tasks.runner.events import Event, OutcomeRead
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.redaction import redact_stored

_ROWS = """
SELECT version, outcome, coalesce(error, ''), coalesce(sqlstate, '') FROM {log} l
 WHERE run_id = %s AND (version IS NULL OR action NOT IN ('rename', 'adopt')
    OR NOT EXISTS (SELECT FROM {log} f WHERE f.run_id = l.run_id AND f.version IS NULL)) ORDER BY id
"""
"""Renames and versions that were found are no steps of the run that logs them."""
_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = ANY (%s)
"""


def read_outcome(runner: MigrationRunner, run_id: str) -> Iterator[Event]:
    """Yield the outcome of a run."""
    with runner.read() as connection:
        ledger = read_ledger(connection, partial=True)
        names = [f"migrate-lock {run_id}", f"migrate-run {run_id}", f"migrate-run {run_id} at work"]
        count = connection.execute(_SESSIONS, [names]).fetchone()
        rows: list[tuple[str | None, str, str, str]] = []
        if ledger.complete and ledger.may_read("_log"):
            rows = connection.execute(sql.SQL(_ROWS).format(log=ledger.table("_log")), [run_id]).fetchall()
    yield describe_outcome(run_id, rows, alive=bool(count and count[0]))


def describe_outcome(run_id: str, rows: list[tuple[str | None, str, str, str]], *, alive: bool) -> OutcomeRead:
    """Return the outcome from a run's rows in the log: (version, outcome, error, SQLSTATE), oldest first.

    A row without a version begins and ends a run; a repair has none, because it writes all its rows in one transaction.
    """
    steps = tuple(version for version, outcome, _, _ in rows if version is not None and outcome == "finished")
    frame = [row for row in rows if row[0] is None]
    if frame and frame[-1][1] in ("finished", "failed"):
        _, outcome, error, sqlstate = frame[-1]
        return OutcomeRead(run_id, outcome, steps, redact_stored(error), sqlstate)
    if alive:
        return OutcomeRead(run_id, "running", steps)
    if rows and not frame:
        return OutcomeRead(run_id, "finished", steps)
    return OutcomeRead(run_id, "died" if rows else "unknown", steps)
