"""Blockers: what makes a migration wait until the test releases it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.kit.databases import Database
from tests.kit.waiting import wait_until

GATE = 42
"""The advisory lock that is used as a gate: while it is locked, statements wait at it."""

PASS_GATE = f"SELECT pg_advisory_xact_lock_shared({GATE});"
"""A statement that waits at the gate."""

CREATE_SLOW = f"""
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 3) n;
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET client_connection_check_interval = 0 AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN $1; END $$;
"""
"""A table with rows, and a function that waits at the gate: an index on it takes as long as the test needs.

The gate is locked outside a transaction, so that there is no long transaction that the runner would wait for first. The server
continues the build although its client is gone: else it would end it after some seconds, which a later run may need to start.
"""

BUILD_SLOW = "CREATE INDEX CONCURRENTLY items_slow ON items (slow(id));"


@contextmanager
def gate_closed(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """Close the gate; it opens at the end, or when the connection that is yielded is closed."""
    with database.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
        yield connection


def await_waiting_at_gate(database: Database) -> int:
    """Wait until a session waits at the gate, and return its process id."""
    query = f"""
        SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
         WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted
    """
    return int(wait_until(lambda: database.query(query), what="a session at the gate")[0][0])


def await_waiting(database: Database, query: str) -> int:
    """Wait until a session waits for a lock with a query LIKE this one, and return its process id."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s"
    return int(wait_until(lambda: database.query(waiting, query), what=f"{query} to wait")[0][0])


@contextmanager
def waiting(database: Database, statement: str) -> Iterator[int]:
    """Run a statement that waits for a lock in a thread, and yield the process id of its session."""

    def work() -> None:
        with database.connect(application_name="waits") as connection:
            connection.execute(statement)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield await_waiting(database, statement)
    finally:
        thread.join()


def find_useless_indexes(database: Database) -> list[str]:
    """Return the invalid indexes, including those of TOAST tables."""
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)"
    return [row[0] for row in database.query(query)]


def await_age(database: Database, pid: int) -> None:
    """Wait until the transaction of a session is old enough to count as a long one."""
    query = "SELECT FROM pg_stat_activity WHERE pid = %s AND xact_start < clock_timestamp() - interval '1.1 seconds'"
    wait_until(lambda: database.query(query, pid), what="the transaction to grow old")


def end_session(database: Database, application: str) -> None:
    """Terminate the one session of this database whose application_name is LIKE this."""
    ours = "datname = current_database() AND application_name LIKE %s"
    # With a timeout, the answer comes when the session is gone, and its last message is sent.
    assert database.query(f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE {ours}", application) == [(True,)]
