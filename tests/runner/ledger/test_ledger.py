"""What the database remembers of a run: rows, texts, the environment, and what its tables do not let in."""

import hashlib

import psycopg
import pytest

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.identity import LEDGER_ADDITIONS, LEDGER_FORMAT, Identity
from tests.runner.operating import A, B, Operator

LOG_ROW = {"run_id": "'00000000-0000-0000-0000-000000000000'", "action": "'migrate'", "outcome": "'started'"}
LOG_ROW |= {"actor": "'a'", "host": "'h'", "tool_version": "'1'"}


def insert_log_row(operator: Operator, **values: str) -> None:
    row = LOG_ROW | values
    operator.database.execute(f"INSERT INTO schema_migrations_log ({', '.join(row)}) VALUES ({', '.join(row.values())})")


def test_a_row_records_what_was_applied_by_whom_and_how_long_it_took(any_operator: Operator) -> None:
    text = "-- Übung\r\nCREATE TABLE a ();\r\nSELECT pg_sleep(0.02);\r\n"
    any_operator.write(A, text)
    any_operator.migrate(identity=Identity(actor="ada"))
    ((version, by, checksum, took),) = any_operator.database.query(
        "SELECT version, applied_by, checksum, execution_time_ms FROM schema_migrations"
    )
    assert (version, by, checksum) == (A, "ada", hashlib.sha256(text.encode()).hexdigest())
    assert took >= 20


def test_the_moment_is_utc_whatever_the_time_zone_of_the_server(any_operator: Operator) -> None:
    any_operator.database.execute(f"ALTER DATABASE {any_operator.database.name} SET timezone = 'Asia/Tokyo'")
    any_operator.write_tables(A)
    any_operator.project.write_seed("001_x", "SELECT 1;")
    any_operator.migrate()
    any_operator.seed()
    in_utc = "now() AT TIME ZONE 'UTC' - applied_at BETWEEN '0 s' AND '1 min'"
    assert any_operator.database.query(f"SELECT {in_utc} FROM schema_migrations") == [(True,)]
    assert any_operator.database.query(f"SELECT {in_utc} FROM schema_migrations_seeds") == [(True,)]


def test_the_table_is_the_one_of_the_strategy_document(any_operator: Operator) -> None:
    any_operator.make_runner().ensure_migration_table()
    assert any_operator.database.query(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE a.attrelid = 'schema_migrations'::regclass AND a.attnum > 0 ORDER BY a.attnum"
    ) == [
        ("version", "character varying(255)", None),
        ("applied_at", "timestamp without time zone", "CURRENT_TIMESTAMP"),
        ("applied_by", "character varying(255)", None),
        ("checksum", "character varying(64)", None),
        ("execution_time_ms", "integer", None),
    ]


def test_the_log_has_a_row_for_the_run_and_one_for_each_attempt(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    any_operator.migrate()
    any_operator.write(B, "SELECT 1/0;")
    with pytest.raises(StatementError, match="division"):
        any_operator.migrate()
    assert any_operator.read_log() == [
        ("migrate", "started", ""),
        ("migrate", "finished", A),
        ("migrate", "finished", ""),
        ("migrate", "started", ""),
        ("migrate", "failed", B),
        ("migrate", "failed", ""),
    ]


def test_a_log_row_records_who_ran_what_where(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    identity = Identity(actor="ada", host="machine-1", tool_version="1.2.3")
    any_operator.migrate(identity=identity)
    rows = any_operator.database.query("SELECT DISTINCT run_id::text, actor, host, tool_version FROM schema_migrations_log")
    assert rows == [(identity.run_id, "ada", "machine-1", "1.2.3")]
    counts = "segments_done, segments_total, duration_ms = execution_time_ms, sqlstate, error"
    joined = "schema_migrations_log JOIN schema_migrations USING (version)"
    assert any_operator.database.query(f"SELECT {counts} FROM {joined}") == [(1, 1, True, None, None)]


def test_a_failure_is_logged_with_its_sqlstate(any_operator: Operator) -> None:
    any_operator.write(A, "CREATE TABLE a ();\nDROP TABLE nowhere;")
    with pytest.raises(StatementError, match="does not exist"):
        any_operator.migrate()
    rows = any_operator.database.query("SELECT version, sqlstate, error FROM schema_migrations_log WHERE outcome = 'failed'")
    message = 'table "nowhere" does not exist'
    assert rows == [(A, "42P01", message), (None, "42P01", message)]


def test_the_actor_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATE_ACTOR", "ada")
    assert Identity().actor == "ada"
    monkeypatch.setenv("MIGRATE_ACTOR", " ")
    assert Identity().actor not in ("", " ")


def test_both_texts_are_stored_as_they_ran(any_operator: Operator) -> None:
    up, down = "-- Übung %s {}\nCREATE TABLE a ();\n", "DROP TABLE a; -- \\ '\n"
    any_operator.write(A, up, down)
    any_operator.write(B, "SELECT 1;")
    any_operator.migrate()
    assert any_operator.database.query("TABLE schema_migrations_scripts ORDER BY 1") == [
        (A, up, down),
        (B, "SELECT 1;", None),
    ]


def test_a_database_remembers_its_format_and_its_environment(any_operator: Operator) -> None:
    any_operator.make_runner().ensure_migration_table()
    any_operator.make_runner(environment="staging").ensure_migration_table()
    rows = any_operator.database.query("SELECT key, value FROM schema_migrations_meta ORDER BY key")
    assert rows == [("additions", str(LEDGER_ADDITIONS)), ("environment", "staging"), ("format", str(LEDGER_FORMAT))]


@pytest.mark.parametrize("written", [str(LEDGER_FORMAT + 1), "10", "next"])
def test_a_ledger_of_a_newer_format_is_refused(operator: Operator, written: str) -> None:
    operator.write_tables(A)
    operator.make_runner().ensure_migration_table()
    operator.database.execute("UPDATE schema_migrations_meta SET value = %s WHERE key = 'format'", written)
    with pytest.raises(RefusedError, match=f"the ledger has format {written}") as refused:
        operator.migrate()
    assert "Pull" in refused.value.hint
    assert operator.read_tables() == []


def test_a_table_that_psql_filled_is_completed_and_kept(any_operator: Operator) -> None:
    any_operator.database.execute(
        "CREATE TABLE schema_migrations (version VARCHAR(255) PRIMARY KEY, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,"
        " applied_by VARCHAR(255) DEFAULT 'migration_script', checksum VARCHAR(64), execution_time_ms INTEGER)"
    )
    any_operator.database.execute("INSERT INTO schema_migrations (version) VALUES (%s)", A)
    any_operator.write_tables(A, B)
    any_operator.migrate()
    assert any_operator.read_states() == {A: "applied", B: "applied"}
    rows = any_operator.database.query("SELECT version, applied_by = 'migration_script', checksum IS NULL FROM schema_migrations")
    assert sorted(rows) == [(A, True, True), (B, False, False)]


def test_the_ledger_is_created_in_the_schema_of_the_search_path(any_operator: Operator) -> None:
    any_operator.database.execute("CREATE SCHEMA app")
    any_operator.database.execute(f"ALTER DATABASE {any_operator.database.name} SET search_path = app")
    any_operator.write_tables(A)
    any_operator.migrate()
    tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' ORDER BY 1"
    beside = [f"schema_migrations{suffix}" for suffix in ("", "_log", "_meta", "_scripts", "_seeds")]
    assert [row[0] for row in any_operator.database.query(tables)] == ["a", *beside]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"outcome": "'failed'"}, psycopg.errors.CheckViolation),
        ({"outcome": "'not sure'"}, psycopg.errors.CheckViolation),
        ({"action": "''"}, psycopg.errors.CheckViolation),
        ({"segments_done": "-1"}, psycopg.errors.CheckViolation),
        ({"segments_done": "2", "segments_total": "1"}, psycopg.errors.CheckViolation),
        ({"run_id": "NULL"}, psycopg.errors.NotNullViolation),
        ({"actor": "NULL"}, psycopg.errors.NotNullViolation),
        ({"host": "NULL"}, psycopg.errors.NotNullViolation),
        ({"tool_version": "NULL"}, psycopg.errors.NotNullViolation),
        ({"at": "NULL"}, psycopg.errors.NotNullViolation),
        ({"id": "1"}, psycopg.errors.GeneratedAlways),
    ],
)
def test_the_log_accepts_no_meaningless_row(operator: Operator, values: dict[str, str], refusal: type[psycopg.Error]) -> None:
    operator.make_runner().ensure_migration_table()
    insert_log_row(operator)
    with pytest.raises(refusal):
        insert_log_row(operator, **values)


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO schema_migrations (version) VALUES ('v'), ('v')",
        "INSERT INTO schema_migrations_scripts (version, up_text) VALUES ('v', ''), ('v', '')",
        "INSERT INTO schema_migrations_seeds (name, checksum) VALUES ('v', ''), ('v', '')",
        "INSERT INTO schema_migrations_meta (key, value) VALUES ('format', '1')",
    ],
)
def test_nothing_is_recorded_twice(operator: Operator, insert: str) -> None:
    operator.make_runner().ensure_migration_table()
    with pytest.raises(psycopg.errors.UniqueViolation):
        operator.database.execute(insert)
