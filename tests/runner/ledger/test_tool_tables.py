"""The tables of other migration tools: excluded from a schema with all that belongs to them, unless migrations make them."""

import pytest

from tasks.catalog import Catalog, read_catalog
from tasks.postgres.other_tools import TOOL_TABLES
from tasks.runner.ledger.expected_schema import read_sum
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tests.adopt.test_foreign_ledgers import TABLES
from tests.kit.databases import Database

FURTHER = {
    each.table: f'CREATE TABLE "{each.table}" ({", ".join(f"{chr(34)}{column}{chr(34)} text" for column in each.columns)})'
    for each in TOOL_TABLES
}
OWN = [name for name in TABLES if "TABLE schema_migrations " not in TABLES[name]]


def read(database: Database) -> Catalog:
    return database.ask(read_catalog)


@pytest.mark.parametrize("create", [*(TABLES[name] for name in OWN), *FURTHER.values()], ids=[*OWN, *FURTHER])
def test_the_table_of_a_tool_is_no_part_of_the_schema(database: Database, create: str) -> None:
    before = read(database)
    database.execute(create)
    assert len(read(database)) > len(before)
    assert exclude_tool_tables(read(database)) == before


def test_what_belongs_to_the_table_of_a_tool_is_excluded_with_it(database: Database) -> None:
    before = read(database)
    database.execute(
        f"{TABLES['node-pg-migrate']}; CREATE INDEX ON pgmigrations (name); COMMENT ON TABLE pgmigrations IS 'x';"
        " COMMENT ON SEQUENCE pgmigrations_id_seq IS 'x'; GRANT SELECT ON pgmigrations TO PUBLIC;"
        " GRANT USAGE ON SEQUENCE pgmigrations_id_seq TO PUBLIC; COMMENT ON COLUMN pgmigrations.name IS 'x'"
    )
    assert exclude_tool_tables(read(database)) == before


@pytest.mark.parametrize("name", ["schema_migrations_old", "schema_migrations_old2", "schema_migrations_before"])
def test_a_kept_table_is_excluded_with_its_sequence(database: Database, name: str) -> None:
    before = read(database)
    database.execute(f"{TABLES['the old shell script']}; ALTER TABLE schema_migrations RENAME TO {name}")
    assert exclude_tool_tables(read(database)) == before


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE schema_version (version int, note text)",
        "CREATE TABLE migrations (id int, name text, season text)",
        "CREATE TABLE flyway_schema_history (version text)",
    ],
)
def test_a_table_with_other_columns_is_part_of_the_schema(database: Database, create: str) -> None:
    database.execute(create)
    assert exclude_tool_tables(read(database)) == read(database)


def test_a_table_that_migrations_make_is_part_of_the_schema(database: Database) -> None:
    database.execute(TABLES["tern"])
    assert exclude_tool_tables(read(database), made=read(database)) == read(database)


def test_dropping_the_kept_table_is_no_drift_for_the_status(database: Database) -> None:
    database.execute(TABLES["goose"])
    with database.connect() as connection:
        before = read_sum(connection)
        connection.execute("DROP TABLE goose_db_version")
        assert read_sum(connection) == before
