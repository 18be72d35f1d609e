"""The facts about the locks of statements outside a transaction, against the servers themselves."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from pglast.parser import parse_sql_json

from tasks.postgres.lock_modes import CONFLICTS, MODES, find_strongest
from tasks.postgres.nontransactional import REFUSALS
from tasks.postgres.outside_locks import NO_RELATION, OUTSIDE_LOCKS, OutsideLocks, Role, find_outside_locks
from tests.kit.databases import Database
from tests.kit.waiting import wait_until

_GATE = 7
OBJECTS = f"""
CREATE FUNCTION waiting(number integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    -- pg_advisory_xact_lock_shared({_GATE}) waits while the test has the lock.
    PERFORM pg_catalog.pg_advisory_xact_lock_shared({_GATE});
    RETURN number;
END $$;
CREATE TABLE items (number integer, name text);
INSERT INTO items VALUES (1, 'a');
CREATE INDEX items_slow_idx ON items (waiting(number));
CREATE INDEX items_name_idx ON items (name);
CLUSTER items USING items_name_idx;
CREATE TABLE events (at date, number integer) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO events VALUES ('2025-02-01', 1);
CREATE INDEX events_slow_idx ON events (waiting(number));
CREATE SCHEMA separate;
CREATE TABLE separate.things (number integer);
INSERT INTO separate.things VALUES (1);
CREATE INDEX things_slow_idx ON separate.things (public.waiting(number));
"""
RELATIONS: dict[str, dict[Role, str]] = {
    "REINDEX INDEX of a partitioned index": {"table": "events_2025", "index": "events_2025_waiting_idx"},
    "REINDEX of a schema, a database or a partitioned table": {"table": "things", "indexes": "things_slow_idx"},
    "ALTER TABLE … DETACH PARTITION … CONCURRENTLY": {"parent": "events", "partition": "events_2025"},
    "DROP INDEX CONCURRENTLY": {"table": "items", "index": "items_name_idx"},
}
QUERIES = {
    "DROP INDEX CONCURRENTLY": "SELECT FROM items",
    # It has no lock while it waits for the users of the parent, and then waits for those of the partition.
    "ALTER TABLE … DETACH PARTITION … CONCURRENTLY": "SELECT FROM events_2025",
    # A VACUUM that freezes a page waits for the cursors on it.
    "VACUUM": "DECLARE on_page CURSOR FOR SELECT FROM items; FETCH on_page",
}
USUAL: dict[Role, str] = {"table": "items", "index": "items_slow_idx", "indexes": "items_slow_idx"}
EACH = pytest.mark.parametrize("row", OUTSIDE_LOCKS, ids=lambda row: row.words)
_LOCKS = """
SELECT c.relname, array_agg(l.mode) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a USING (pid)
 WHERE a.application_name = 'outside' GROUP BY 1
"""


@contextmanager
def in_the_way(database: Database, query: str) -> Iterator[None]:
    """Keep what the statement waits for: an advisory lock, and the snapshot and the locks of a query."""
    with database.connect() as gate, database.connect(autocommit=False) as old:
        gate.execute(f"SELECT pg_advisory_lock({_GATE})")
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute(query.encode())
        yield
        old.rollback()


def run_outside(database: Database, text: str) -> None:
    with database.connect(application_name="outside") as session:
        session.execute("SET vacuum_freeze_min_age = 0; SET vacuum_freeze_table_age = 0")
        session.execute(text.encode())


def read_locks(database: Database) -> dict[str, str]:
    return {name: find_strongest(modes) for name, modes in database.query(_LOCKS)}


def has_locks(database: Database, row: OutsideLocks, expected: dict[str, str]) -> bool:
    """Return True if a statement has these locks when it waits, and False if it did not wait."""
    with ThreadPoolExecutor() as pool:
        with in_the_way(database, QUERIES.get(row.words, "SELECT 1")):
            running = pool.submit(run_outside, database, row.example)
            wait_until(lambda: running.done() or expected.items() <= read_locks(database).items(), what=f"{expected}")
            waits = not running.done()
        running.result()
    return waits


@EACH
def test_the_statement_has_the_locks_of_its_row(any_database: Database, row: OutsideLocks) -> None:
    any_database.execute(OBJECTS)
    relations = RELATIONS.get(row.words, USUAL)
    # That on a partition is reached at the end only.
    locks = {**row.locks, **(row.briefly if "partition" in row.locks else {})}
    expected = {relations[role]: mode for role, mode in locks.items()}
    # While another database has a transaction that is older than the rows, VACUUM does not freeze them, and ends.
    wait_until(lambda: has_locks(any_database, row, expected), what=f"{expected}")


def read_node(text: str) -> tuple[str, Any]:
    [(name, node)] = json.loads(parse_sql_json(text))["stmts"][0]["stmt"].items()
    return name, node


@EACH
def test_the_table_distinguishes_the_examples(row: OutsideLocks) -> None:
    assert find_outside_locks(*read_node(row.example)) is row
    assert row.source.startswith("https://www.postgresql.org/docs/")
    assert bool(row.briefly) == bool(row.why_briefly)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.words)
def test_each_statement_outside_a_transaction_has_a_row_or_locks_no_relation(refusal: Any) -> None:
    name, node = read_node(refusal.refused)
    known = name in NO_RELATION or name in ("TransactionStmt", "AlterSubscriptionStmt")
    assert known or find_outside_locks(name, node) is not None


def test_the_modes_conflict_as_on_a_server(any_database: Database) -> None:
    any_database.execute("CREATE TABLE locked (a int)")
    words = [mode.removesuffix("Lock") for mode in MODES]
    spelled = ["".join(f" {letter}" if letter.isupper() else letter for letter in word).strip().upper() for word in words]
    with any_database.connect(autocommit=False) as one, any_database.connect(autocommit=False) as other:
        for mode, words_of_mode in zip(MODES, spelled, strict=True):
            one.execute(f"LOCK TABLE locked IN {words_of_mode} MODE".encode())
            refused = set()
            for wanted, words_of_wanted in zip(MODES, spelled, strict=True):
                try:
                    other.execute(f"LOCK TABLE locked IN {words_of_wanted} MODE NOWAIT".encode())
                except psycopg.errors.LockNotAvailable:
                    refused.add(wanted)
                other.rollback()
            assert refused == CONFLICTS[mode], mode
            one.rollback()
