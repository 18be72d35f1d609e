"""The facts about statements outside transactions, against the servers themselves."""

import json
from typing import Any

import psycopg
import pytest
from pglast.parser import parse_sql_json
from psycopg.errors import ActiveSqlTransaction

from tasks.postgres.nontransactional import REFUSALS, Refusal, find_refusal
from tasks.postgres.targets import Target
from tests.kit.databases import Database

OBJECTS = """
    CREATE TABLE items (number integer, name text);
    CREATE INDEX items_number_idx ON items (number);
    CREATE TABLE events (at date) PARTITION BY RANGE (at);
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE SUBSCRIPTION orders CONNECTION 'dbname=nowhere' PUBLICATION news WITH (connect = false);
"""
EACH = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.words)


def read_node(text: str) -> tuple[str, Any]:
    [(name, node)] = json.loads(parse_sql_json(text))["stmts"][0]["stmt"].items()
    return name, node


def run_in_transaction(database: Database, *texts: str) -> None:
    """Run statements in a transaction that is rolled back; raises the errors of the server."""
    with database.connect(autocommit=False) as connection:
        try:
            for text in (OBJECTS, *texts):
                connection.execute(text.encode())
        finally:
            connection.rollback()


def skip_unknown(database: Database, refusal: Refusal) -> None:
    with database.connect() as connection:
        if connection.info.server_version // 10000 < refusal.since:
            pytest.skip(f"PostgreSQL {refusal.since} brought {refusal.words}")


@EACH
def test_the_server_refuses_the_example_in_a_transaction(any_database: Database, refusal: Refusal) -> None:
    skip_unknown(any_database, refusal)
    prepare = [refusal.prepare] if refusal.prepare else []
    with pytest.raises(ActiveSqlTransaction):
        run_in_transaction(any_database, *prepare, refusal.refused)


@EACH
def test_the_server_accepts_the_other_example_in_a_transaction(any_database: Database, refusal: Refusal) -> None:
    skip_unknown(any_database, refusal)
    texts = [refusal.accepted] if refusal.accepted else []
    try:
        run_in_transaction(any_database, *texts)
    except psycopg.Error as error:
        pytest.fail(f"{refusal.accepted}: {error}")
    assert any_database.query("SELECT count(*) FROM pg_class WHERE relname = 'items'") == [(0,)]


@EACH
def test_the_table_distinguishes_the_examples(refusal: Refusal) -> None:
    assert find_refusal(*read_node(refusal.refused)) is refusal
    assert not refusal.accepted or find_refusal(*read_node(refusal.accepted)) is None
    assert refusal.source.startswith("https://www.postgresql.org/docs/")


@pytest.mark.parametrize(
    "text",
    [
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        "ALTER TYPE mood ADD VALUE 'calm'",
        "ALTER TABLE events DETACH PARTITION events_2025 FINALIZE",
        "REINDEX (CONCURRENTLY false) TABLE items",
        "CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION b WITH (create_slot = off, slot_name = NONE)",
        "CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION b WITH (create_slot = 0)",
        "ALTER SUBSCRIPTION orders SET PUBLICATION news WITH (refresh = 'OFF')",
        "DROP TABLE items",
        "CHECKPOINT",
        "SAVEPOINT here",
    ],
)
def test_a_statement_that_may_run_in_a_transaction_is_not_refused(text: str) -> None:
    assert find_refusal(*read_node(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "REINDEX (VERBOSE, CONCURRENTLY) TABLE items",
        "REINDEX (CONCURRENTLY on) INDEX items_number_idx",
        "REINDEX DATABASE CONCURRENTLY",
        "VACUUM (ANALYZE) items",
        "CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION b WITH (create_slot)",
        "ALTER SUBSCRIPTION orders DROP PUBLICATION news WITH (refresh = true)",
    ],
)
def test_other_spellings_are_recognised_too(text: str) -> None:
    assert find_refusal(*read_node(text)) is not None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS By_Name ON shop.items (name)",
            Target("create index", "shop", "by_name", "shop", "items"),
        ),
        ('CREATE INDEX CONCURRENTLY "Ü" ON items (name)', Target("create index", "", "Ü", "", "items")),
        ("DROP INDEX CONCURRENTLY IF EXISTS shop.by_name", Target("drop index", "shop", "by_name")),
        ("DROP INDEX CONCURRENTLY by_name", Target("drop index", "", "by_name")),
        ("REINDEX INDEX CONCURRENTLY shop.by_name", Target("reindex", "shop", "by_name")),
        ("REINDEX TABLE CONCURRENTLY shop.items", Target("reindex", table_schema="shop", table="items")),
        ("REINDEX SCHEMA shop", Target("reindex", "shop")),
        ("REINDEX DATABASE", Target("reindex")),
        (
            "ALTER TABLE shop.events DETACH PARTITION old.events_2025 CONCURRENTLY",
            Target("detach partition", "old", "events_2025", "shop", "events"),
        ),
        ("CREATE DATABASE copy", Target("create database", name="copy")),
        ("DROP DATABASE IF EXISTS copy", Target("drop database", name="copy")),
        ("CREATE TABLESPACE fast LOCATION '/fast'", Target("create tablespace", name="fast")),
        ("DROP TABLESPACE fast", Target("drop tablespace", name="fast")),
        ("CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION b", Target("create subscription", name="a")),
        ("DROP SUBSCRIPTION IF EXISTS a", Target("drop subscription", name="a")),
        ("VACUUM", Target("other")),
    ],
)
def test_the_target_is_the_object_that_the_statement_changes(text: str, target: Target) -> None:
    name, node = read_node(text)
    refusal = find_refusal(name, node)
    assert refusal is not None
    assert refusal.target(node) == target
