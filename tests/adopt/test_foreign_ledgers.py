"""The ledgers of other tools: recognised, read, mapped to versions, and taken over."""

from datetime import datetime

import pytest

from tasks.adopt.foreign_versions import Mapped, describe_matches, map_versions
from tasks.postgres.other_tools import OTHER_TOOLS, OtherTool
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.versions import read_leading_number
from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger.foreign import LedgerRow, OtherLedger, find_other_ledger, recognise
from tasks.runner.ledger.takeover import take_over
from tests.kit.databases import Database
from tests.runner.operating import A, B, C, Operator, list_done

NAMES = ("001_create_a", "002_create_b", "003_create_c")
RENAMES = dict(zip(NAMES, (A, B, C), strict=True))
VERSIONS = (A, B, C)

TABLES = {
    "the old shell script": "CREATE TABLE schema_migrations (id SERIAL PRIMARY KEY, migration_name VARCHAR(255) UNIQUE NOT NULL,"
    " applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, checksum VARCHAR(64), execution_time_ms INTEGER)",
    "golang-migrate": "CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)",
    "dbmate or Rails": "CREATE TABLE schema_migrations (version varchar(128) primary key)",
    "Flyway": "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, version varchar(50),"
    " description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer,"
    " installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL,"
    " success boolean NOT NULL)",
    "Alembic": "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "yoyo": "CREATE TABLE _yoyo_migration (migration_hash varchar(64) PRIMARY KEY, migration_id varchar(255),"
    " applied_at_utc timestamp)",
    "sqlx": "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz"
    " NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL)",
    "Prisma": "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL,"
    " finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,"
    " started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)",
    "diesel": "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY,"
    " run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    "node-pg-migrate": "CREATE TABLE pgmigrations (id SERIAL PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)",
}
"""The table of each tool, as the tool creates it."""

ROWS = {
    "the old shell script": "INSERT INTO schema_migrations (migration_name, applied_at, checksum) VALUES"
    " ('001_create_a.sql', '2025-01-01', 'x'), ('002_create_b.sql', '2025-01-01', 'y')",
    "golang-migrate": "INSERT INTO schema_migrations VALUES (2, false)",
    "dbmate or Rails": "INSERT INTO schema_migrations VALUES ('20250101000000'), ('20250102000000')",
    "Flyway": "INSERT INTO flyway_schema_history VALUES"
    " (1, '1', 'create a', 'SQL', 'V1__create_a.sql', 7, 'me', '2025-01-01', 1, true),"
    " (2, '2.0', 'create b', 'SQL', 'V2_0__create_b.sql', 8, 'me', '2025-01-01', 1, true),"
    " (3, '3', 'create c', 'SQL', 'V3__create_c.sql', 9, 'me', '2025-01-01', 1, false)",
    "Alembic": "INSERT INTO alembic_version VALUES ('1975ea83b712')",
    "yoyo": "INSERT INTO _yoyo_migration VALUES ('h1', '001_create_a', '2025-01-01'), ('h2', '002_create_b', '2025-01-01')",
    "sqlx": "INSERT INTO _sqlx_migrations VALUES (1, 'create a', '2025-01-01Z', true, '\\xab', 1),"
    " (2, 'create b', '2025-01-01Z', true, '\\xcd', 1), (3, 'create c', '2025-01-01Z', false, '\\xef', 1)",
    "Prisma": "INSERT INTO _prisma_migrations VALUES"
    " ('1', 'x', '2025-01-01Z', '20250101000000_create_a', NULL, NULL),"
    " ('2', 'y', NULL, '20250102000000_create_b', 'failed', '2025-01-01Z'),"
    " ('3', 'y', '2025-01-01Z', '20250102000000_create_b', NULL, NULL),"
    " ('4', 'z', NULL, '20250103000000_create_c', 'failed', NULL)",
    "diesel": "INSERT INTO __diesel_schema_migrations VALUES ('20250101000000', '2025-01-01'), ('20250102000000', '2025-01-01')",
    "node-pg-migrate": "INSERT INTO pgmigrations (name, run_on) VALUES ('001_create_a', '2025-01-01'),"
    " ('20250102000000123_create-b', '2025-01-01')",
}
"""The rows of each tool after the first two of three migrations; Alembic records only a hash."""

any_tool = pytest.mark.parametrize("tool", OTHER_TOOLS, ids=[tool.name.replace(" ", "_") for tool in OTHER_TOOLS])
MAPPINGS = {**RENAMES, "V1__create_a": A, "V2_0__create_b": B, "V3__create_c": C, "1975ea83b712": B}


def find(database: Database) -> OtherLedger:
    with database.connect() as connection:
        other = find_other_ledger(connection)
    assert other is not None
    return other


def prepare(database: Database, tool: str) -> OtherLedger:
    database.execute(f"SET TIME ZONE 'UTC'; {TABLES[tool]}; {ROWS[tool]}")
    return find(database)


def adopt(operator: Operator, other: OtherLedger, mapped: Mapped) -> str:
    migrations = read_migrations(operator.project.migrations)
    with operator.database.connect() as connection:
        return take_over(
            connection,
            other,
            describe_matches(other, mapped.matched),
            migrations=migrations,
            identity=Identity(actor="ann"),
            revision=Revision(),
        )


@any_tool
def test_the_table_of_a_tool_is_recognised_and_read(any_database: Database, tool: OtherTool) -> None:
    other = prepare(any_database, tool.name)
    assert (other.tool, other.schema) == (tool, "public")
    mapped = map_versions(other, VERSIONS, MAPPINGS)
    assert [match.version for match in mapped.matched] == [A, B]
    if other.tool.applied_at != "NULL":
        assert {match.row.applied_at for match in mapped.matched} == {datetime(2025, 1, 1)}  # noqa: DTZ001 - UTC, as the ledger


@any_tool
def test_after_a_takeover_migrate_runs_the_rest_and_status_agrees(operator: Operator, tool: OtherTool) -> None:
    operator.write_tables(A, B, C)
    operator.database.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")
    other = prepare(operator.database, tool.name)
    rows = operator.database.query(f"SELECT t::text FROM {other.tool.table} t ORDER BY 1")
    kept = adopt(operator, other, map_versions(other, VERSIONS, MAPPINGS))
    assert kept == ("schema_migrations_old" if other.tool.table == "schema_migrations" else "")
    key = "SELECT conname::text FROM pg_constraint WHERE contype = 'p' AND conrelid = 'schema_migrations'::regclass"
    assert operator.database.query(key) == [("schema_migrations_pkey",)]
    assert operator.database.query(f"SELECT t::text FROM {kept or other.tool.table} t ORDER BY 1") == rows
    assert operator.read_states() == {A: "applied", B: "applied", C: "pending"}
    assert list_done(operator.migrate()) == [C]
    assert list_done(operator.roll_back(to="0")) == [C, B, A]


def test_adopted_versions_are_logged_with_their_evidence(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    other = prepare(operator.database, "the old shell script")
    adopt(operator, other, map_versions(other, VERSIONS, RENAMES))
    assert operator.read_log() == [("adopt", "finished", A), ("adopt", "finished", B)]
    notes = operator.database.query("SELECT note FROM schema_migrations_log ORDER BY id")
    assert notes[0] == ("the old shell script: public.schema_migrations has 001_create_a.sql (old name 001_create_a)",)
    assert operator.database.query("SELECT DISTINCT applied_by FROM schema_migrations") == [("adopted by ann",)]


def test_a_failed_takeover_is_rolled_back_completely(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    other = prepare(operator.database, "golang-migrate")
    mapped = map_versions(other, VERSIONS, RENAMES)
    operator.project.write_up(B, b"\xff")
    with pytest.raises(RefusedError):
        adopt(operator, other, mapped)
    assert find(operator.database) == other
    assert operator.database.query("SELECT to_regclass('schema_migrations_old'), to_regclass('schema_migrations_log')") == [
        (None, None)
    ]


def test_a_ledger_that_changed_meanwhile_is_refused(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    other = prepare(operator.database, "dbmate or Rails")
    operator.database.execute("INSERT INTO schema_migrations VALUES ('20250103000000')")
    with pytest.raises(RefusedError, match="changed since it was examined"):
        adopt(operator, other, map_versions(other, VERSIONS, {}))


def test_a_second_table_with_the_name_of_the_ledger_is_kept_under_the_next_free_name(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE schema_migrations_old (); CREATE VIEW schema_migrations_old2 AS SELECT 1")
    other = prepare(operator.database, "golang-migrate")
    assert adopt(operator, other, Mapped()) == "schema_migrations_old3"


def test_a_takeover_adds_rows_to_an_existing_ledger(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B)
    before = operator.database.query("SELECT * FROM schema_migrations")
    other = prepare(operator.database, "yoyo")
    adopt(operator, other, map_versions(other, VERSIONS, RENAMES))
    assert operator.database.query("SELECT * FROM schema_migrations WHERE version = %s", A) == before
    assert operator.read_log()[-1] == ("adopt", "finished", B)
    assert sorted(operator.read_applied()) == [A, B]


def test_a_table_with_the_name_of_the_ledger_is_found_first(database: Database) -> None:
    database.execute(f"{TABLES['yoyo']}; {TABLES['golang-migrate']}")
    assert find(database).tool.name == "golang-migrate"


@pytest.mark.parametrize("table", ["CREATE TABLE t ()", "CREATE TABLE schema_migrations (version text, when_applied text)"])
def test_the_table_of_an_unknown_tool_is_not_recognised(database: Database, table: str) -> None:
    database.execute(table)
    with database.connect() as connection:
        assert find_other_ledger(connection) is None


def test_our_own_ledger_is_not_recognised_as_that_of_another_tool(operator: Operator) -> None:
    operator.make_runner().ensure_migration_table()
    with operator.database.connect() as connection:
        assert find_other_ledger(connection) is None


def test_refusing_a_ledger_of_another_tool_hints_at_adopt(operator: Operator) -> None:
    prepare(operator.database, "golang-migrate")
    with pytest.raises(RefusedError) as refused:
        operator.migrate()
    assert "inv db.adopt" in refused.value.hint


def list_reasons(mapped: Mapped) -> list[str]:
    return [each.reason for each in mapped.unmatched]


def record(tool: str, *rows: LedgerRow) -> OtherLedger:
    return OtherLedger(next(each for each in OTHER_TOOLS if each.name == tool), "public", rows)


@pytest.mark.parametrize(
    ("tool", "row", "renames", "reason"),
    [
        (
            "dbmate or Rails",
            LedgerRow("20240101000000"),
            RENAMES,
            "no file has, or had (renames.toml), this name, timestamp or number",
        ),
        ("golang-migrate", LedgerRow("3"), {"003_x": A, "003_y": B}, "3 is the number of several files: 003_x, 003_y"),
        ("golang-migrate", LedgerRow("2", ok=False), RENAMES, "golang-migrate left it half applied (dirty)"),
        ("Alembic", LedgerRow("1975ea83b712"), RENAMES, "Alembic recorded only its newest revision, by a hash"),
        ("Prisma", LedgerRow(A, A, ok=False), {}, "Prisma did not record it as applied"),
    ],
)
def test_a_row_that_matches_no_version_is_reported_with_the_reason(
    tool: str, row: LedgerRow, renames: dict[str, str], reason: str
) -> None:
    (reason_found,) = list_reasons(map_versions(record(tool, row), VERSIONS, renames))
    assert reason_found.startswith(reason)


def test_only_the_versions_before_a_dirty_version_are_matched() -> None:
    mapped = map_versions(record("golang-migrate", LedgerRow("2", ok=False)), VERSIONS, RENAMES)
    assert [match.version for match in mapped.matched] == [A]


def test_a_file_without_a_number_is_not_among_the_earlier_versions() -> None:
    renames = {"init": A, "001_b": B, "002_c": C}
    mapped = map_versions(record("golang-migrate", LedgerRow("2")), VERSIONS, renames)
    assert [match.version for match in mapped.matched] == [B, C]


def test_a_version_that_flyway_undid_is_not_applied(database: Database) -> None:
    database.execute(f"{TABLES['Flyway']}; {ROWS['Flyway']}")
    database.execute(
        "INSERT INTO flyway_schema_history VALUES"
        " (4, '2.0', 'create b', 'UNDO_SQL', 'U2_0__create_b.sql', 8, 'me', now(), 1, true)"
    )
    mapped = map_versions(find(database), VERSIONS, MAPPINGS)
    assert [match.version for match in mapped.matched] == [A]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("003_add_x", (3,)),
        ("3", (3,)),
        ("001-x", (1,)),
        ("003_2fa", (3,)),
        ("003_2_x", (3,)),
        ("V1__x", (1,)),
        ("V1_2__x", (1, 2)),
        ("1.2", (1, 2)),
        ("2.0", (2,)),
        ("20250101000000_x", (20250101000000,)),
        ("vector_index", None),
        ("x3", None),
        ("supabase_profiles", None),
    ],
)
def test_the_leading_number_of_a_name_is_read(name: str, number: tuple[int, ...] | None) -> None:
    assert read_leading_number(name) == number


def test_each_known_tool_has_a_source_and_a_test() -> None:
    assert {tool.name for tool in OTHER_TOOLS} == set(TABLES) == set(ROWS)
    assert all(tool.source for tool in OTHER_TOOLS)
    assert all(recognise(tool.table, frozenset(tool.columns)) == tool for tool in OTHER_TOOLS)
