"""Tables named schema_migrations that are not ours."""

import pytest

from tests.bad_input.refusals import MARK, V, refuse_unchanged
from tests.kit.databases import Database
from tests.kit.projects import Project


@pytest.mark.parametrize(
    ("table", "columns", "missing"),
    [
        (
            "id SERIAL PRIMARY KEY, migration_name VARCHAR(255) UNIQUE NOT NULL, applied_at TIMESTAMP DEFAULT now(),"
            " checksum VARCHAR(64), execution_time_ms INTEGER",
            "id, migration_name, applied_at, checksum, execution_time_ms",
            "version, applied_by",
        ),
        ("version varchar(128) PRIMARY KEY", "version", "applied_at, applied_by, checksum, execution_time_ms"),
        ("version bigint PRIMARY KEY, dirty boolean", "version, dirty", "applied_at, applied_by, checksum, execution_time_ms"),
    ],
    ids=["script", "dbmate", "golang"],
)
@pytest.mark.parametrize("command", ["migrate", "status"])
def test_a_table_of_another_shape_is_refused_and_its_columns_named(
    project: Project, database: Database, table: str, columns: str, missing: str, command: str
) -> None:
    project.write_up(V, MARK)
    database.execute(f"CREATE TABLE schema_migrations ({table})")
    refusal = refuse_unchanged(project, database, command)
    assert f"it has the columns {columns}; {missing} missing" in refusal.error.message
    assert "ALTER TABLE public.schema_migrations RENAME TO" in refusal.error.hint


OTHERS = "applied_at timestamp, applied_by text, checksum text, execution_time_ms integer"


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE TABLE schema_migrations (version bigint PRIMARY KEY, {OTHERS})",
        f"CREATE TABLE schema_migrations (version text, {OTHERS})",
        f"CREATE TABLE schema_migrations (version text, {OTHERS}, PRIMARY KEY (version, applied_at))",
    ],
    ids=["number", "no_key", "wider_key"],
)
def test_a_table_with_the_right_columns_and_no_key_is_refused(project: Project, database: Database, statement: str) -> None:
    project.write_up(V, MARK)
    database.execute(statement)
    refusal = refuse_unchanged(project, database)
    assert "column version must be text and the primary key" in refusal.error.message


@pytest.mark.parametrize("table", ["log", "scripts", "seeds", "meta"])
def test_a_missing_table_of_the_ledger_is_created_again_by_repair(project: Project, database: Database, table: str) -> None:
    project.migrate(check=0)
    project.write_up(V, MARK)
    database.execute(f"CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY, {OTHERS})")
    project.migrate("migrate", "--env", "dev", check=0)
    database.execute(f"DROP TABLE schema_migrations_{table}")
    project.write_up("20250103000000_more", "SELECT 1;")
    assert f"public.schema_migrations_{table} is missing" in project.migrate(check=3).stderr
    project.migrate("repair", "--yes", check=0)
    project.migrate(check=0)
    assert database.query("SELECT count(*) FROM schema_migrations") == [(2,)]
