"""Things that hold a migration up, until the test lets it go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.kit.databases import Database
from tests.kit.waiting import wait_until

GATE = 42
"""The advisory lock that stands for a gate: whoever holds it keeps others from passing."""

PASS_GATE = f"SELECT pg_advisory_xact_lock_shared({GATE});"
"""A statement that waits at the gate."""

CREATE_SLOW = f"""
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 3) n;
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN $1; END $$;
"""
"""A table with rows, and a function that waits at the gate: an index over it takes as long as the test wants.

Nobody who holds the gate needs a transaction, so the runner sees no reason not to begin.
"""

BUILD_SLOW = "CREATE INDEX CONCURRENTLY items_slow ON items (slow(id));"


@contextmanager
def gate_closed(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """Close the gate; it opens at the end, or when the connection that this gives is closed."""
    with database.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
        yield connection


def await_waiting_at_gate(database: Database) -> int:
    """Wait until somebody waits at the gate, and give the process id."""
    query = f"""
        SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
         WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted
    """
    return int(wait_until(lambda: database.query(query), what="somebody at the gate")[0][0])


def await_waiting(database: Database, query: str) -> int:
    """Wait until a session waits for a lock with a query like this one, and give its process id."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s"
    return int(wait_until(lambda: database.query(waiting, query), what=f"{query} to wait")[0][0])


def find_useless_indexes(database: Database) -> list[str]:
    """List the indexes that no query can use, those of TOAST tables too."""
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)"
    return [row[0] for row in database.query(query)]


def await_age(database: Database, pid: int) -> None:
    """Wait until the transaction of a session is so old that the runner takes it for a long one."""
    query = "SELECT FROM pg_stat_activity WHERE pid = %s AND xact_start < clock_timestamp() - interval '1.1 seconds'"
    wait_until(lambda: database.query(query, pid), what="the transaction to grow old")


def cut(database: Database, application: str) -> None:
    """Cut the one session of this database whose application name is like this."""
    ours = "datname = current_database() AND application_name LIKE %s"
    # With a timeout, the answer comes when the session is gone, and its last word is on its way.
    assert database.query(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {ours}", application) == [(True,)]
