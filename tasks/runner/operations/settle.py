"""Recording the result of a comparison with a replay as the expected schema, so that db.status agrees with db.drift."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from tasks.runner.clock import count_ms
from tasks.runner.database.session import connect
from tasks.runner.errors import UsageError
from tasks.runner.events import Event, RunFinished
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.expected_schema import parse_sum, read_sum, record_expectation
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.operations.migrate import start
from tasks.runner.planning.failures import describe_server_error


def settle(runner: MigrationRunner, compared: str, difference: str) -> Iterator[Event]:
    """Record the expected schema: the one that was `compared`, without its `difference`; both are sums of objects.

    Nothing is recorded if the schema has changed since, if a run is in progress, or if the ledger expects nothing. Raises
    UsageError for a text that is not a sum.
    """
    yield start(runner, "settle")
    started_at = time.monotonic()
    total, offset = parse_sum(compared), parse_sum(difference)
    if total is None or offset is None:
        raise UsageError("these sums cannot be read", hint="inv db.drift passes them.", state="Nothing was changed.")
    lock = runner.make_lock()
    try:
        busy = any(True for _ in lock.acquire())
        recorded = not busy and runner.watch_drift and _record(runner, total, offset)
    except psycopg.Error as error:
        raise describe_server_error(error, runner.url, "The expected schema was not recorded.") from error
    finally:
        lock.release()
    yield RunFinished("settle", int(recorded), count_ms(started_at))


def _record(runner: MigrationRunner, total: int, offset: int) -> bool:
    """Record the expectation if the schema is still the compared one; the caller has the lock."""
    name = f"migrate-run {runner.identity.run_id}"
    with connect(runner.url, name=name, ledger_owner=runner.ledger_owner) as connection:
        ledger = read_ledger(connection)
        check_environment(ledger, runner.belonging)
        if not ledger.current or read_sum(connection) != total:
            return False
        record_expectation(connection, ledger, total, offset)
    return True
