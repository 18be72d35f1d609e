"""What the ledger relies on: each constraint of its tables refuses what it is there to refuse."""

import psycopg
import pytest
from psycopg.errors import CheckViolation, GeneratedAlways, NotNullViolation, StringDataRightTruncation, UniqueViolation

from tasks.runner.ledger.creation import compose_tables
from tasks.runner.ledger.reading import Ledger
from tests.kit.databases import Database
from tests.runner.operating import Operator

GOOD = {
    "schema_migrations": {"version": "'v'"},
    "schema_migrations_log": {
        "run_id": "gen_random_uuid()",
        "action": "'migrate'",
        "outcome": "'started'",
        "actor": "'a'",
        "host": "'h'",
        "tool_version": "'1'",
    },
    "schema_migrations_scripts": {"version": "'v'", "up_text": "''"},
    "schema_migrations_seeds": {"name": "'n'", "checksum": "''"},
    "schema_migrations_meta": {"key": "'k'", "value": "''"},
}
"""A row that each table takes."""

LONG = "repeat('x', {})"
CASES: list[tuple[str, dict[str, str], type[psycopg.Error]]] = [
    ("schema_migrations", {"version": "NULL"}, NotNullViolation),
    ("schema_migrations", {"version": LONG.format(256)}, StringDataRightTruncation),
    ("schema_migrations_log", {"run_id": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"action": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"action": "''"}, CheckViolation),
    ("schema_migrations_log", {"outcome": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"outcome": "'not sure'"}, CheckViolation),
    ("schema_migrations_log", {"outcome": "'failed'"}, CheckViolation),
    ("schema_migrations_log", {"segments_done": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"segments_done": "-1"}, CheckViolation),
    ("schema_migrations_log", {"segments_total": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"segments_done": "2", "segments_total": "1"}, CheckViolation),
    ("schema_migrations_log", {"actor": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"host": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"tool_version": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"sqlstate": "'123456'"}, StringDataRightTruncation),
    ("schema_migrations_log", {"at": "NULL"}, NotNullViolation),
    ("schema_migrations_log", {"id": "1"}, GeneratedAlways),
    ("schema_migrations_scripts", {"version": "NULL"}, NotNullViolation),
    ("schema_migrations_seeds", {"name": "NULL"}, NotNullViolation),
    ("schema_migrations_seeds", {"applied_at": "NULL"}, NotNullViolation),
    ("schema_migrations_seeds", {"checksum": "NULL"}, NotNullViolation),
    ("schema_migrations_meta", {"key": "NULL"}, NotNullViolation),
    ("schema_migrations_meta", {"value": "NULL"}, NotNullViolation),
]

_NOT_NULL = """
SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relname LIKE 'schema_migrations%%' AND c.relkind = 'r' AND a.attnotnull AND a.attnum > 0 AND a.attidentity = ''
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname::text FROM pg_constraint
 WHERE conrelid::regclass::text LIKE 'schema_migrations%%' AND contype <> 'n'
"""


def insert(database: Database, table: str, values: dict[str, str]) -> None:
    row = GOOD[table] | values
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")


@pytest.fixture
def ledger(operator: Operator) -> Database:
    """Return a database with the ledger's tables."""
    operator.make_runner().ensure_migration_table()
    return operator.database


def break_each(database: Database) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Try every case, and return the columns that refused NULL and the constraints that refused, by table."""
    columns, constraints = set(), set()
    for table, values, refusal in CASES:
        with pytest.raises(refusal) as refused:
            insert(database, table, values)
        diag = refused.value.diag
        if refusal is NotNullViolation:
            columns.add((table, diag.column_name or ""))
        elif diag.constraint_name:
            constraints.add((table, diag.constraint_name))
    for table in GOOD:
        insert(database, table, {})
        with pytest.raises(UniqueViolation) as refused_again:
            database.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table} LIMIT 1")
        constraints.add((table, refused_again.value.diag.constraint_name or ""))
    return columns, constraints


def test_every_constraint_is_broken_by_a_case(ledger: Database) -> None:
    columns, constraints = break_each(ledger)
    assert columns == set(ledger.query(_NOT_NULL))
    assert constraints == set(ledger.query(_CONSTRAINTS))
    assert [ledger.query(f"SELECT count(*) FROM {table}") for table in GOOD] == [[(1,)]] * 4 + [[(3,)]]


def test_the_tables_can_be_created_again_with_rows_in_them(operator: Operator, ledger: Database) -> None:
    for table in GOOD:
        insert(ledger, table, {})
    before = [ledger.query(f"TABLE {table}") for table in GOOD]
    ledger.execute("DROP TABLE schema_migrations_seeds; DROP INDEX schema_migrations_log_open")
    for _ in range(2):
        ledger.execute(compose_tables(Ledger()))
    assert [ledger.query(f"TABLE {table}") for table in GOOD if table != "schema_migrations_seeds"] == before[:3] + before[4:]
    assert ledger.query("SELECT to_regclass('schema_migrations_log_open') IS NOT NULL") == [(True,)]
