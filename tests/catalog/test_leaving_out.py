"""What a catalog ignores, with which privileges it can be read, and the state of the session afterwards."""

import psycopg
import pytest
from psycopg.rows import dict_row

from tasks.catalog import Catalog, read_catalog
from tasks.catalog.classes import LEDGER_TABLES
from tasks.catalog.reading import SETTINGS
from tasks.runner.ledger.creation import compose_tables
from tasks.runner.ledger.reading import Ledger
from tests.catalog.conftest import READER, RICH
from tests.kit.databases import Database


def read(database: Database) -> Catalog:
    with database.connect() as connection:
        return read_catalog(connection)


@pytest.mark.parametrize("schema", ["public", "other"])
def test_the_ledger_is_ignored_in_every_schema(any_database: Database, schema: str) -> None:
    any_database.execute("CREATE SCHEMA other")
    before = read(any_database)
    any_database.execute(compose_tables(Ledger(schema)))
    any_database.execute(f"SET search_path = {schema}")
    any_database.execute(
        """COMMENT ON TABLE schema_migrations IS 'ledger'; COMMENT ON COLUMN schema_migrations.version IS 'x';
        COMMENT ON INDEX schema_migrations_log_open IS 'x'; GRANT SELECT ON schema_migrations TO PUBLIC;
        GRANT SELECT (version) ON schema_migrations TO PUBLIC; ALTER TABLE schema_migrations REPLICA IDENTITY FULL;
        GRANT SELECT ON SEQUENCE schema_migrations_log_id_seq TO PUBLIC;
        ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY"""
    )
    assert read(any_database) == before


def test_the_tables_of_the_ledger_are_those_that_it_creates(any_database: Database) -> None:
    any_database.execute(compose_tables(Ledger()))
    made = {name for (name,) in any_database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")}
    assert made == set(LEDGER_TABLES)


def test_members_of_an_extension_are_ignored(any_database: Database) -> None:
    before = read(any_database)
    any_database.execute(
        """CREATE TABLE t (id serial PRIMARY KEY, b text CHECK (b <> '')); CREATE INDEX i ON t (b); COMMENT ON COLUMN t.id IS 'x';
        CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS ENUM ('a');
        CREATE VIEW v AS SELECT 1 AS a;
        CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq); GRANT SELECT ON t TO PUBLIC;
        COMMENT ON FUNCTION f() IS 'x'"""
    )
    assert len(read(any_database)) > len(before) + 10
    for member in ("TABLE t", "SEQUENCE t_id_seq", "FUNCTION f()", "TYPE e", "VIEW v", "OPERATOR === (integer, integer)"):
        any_database.execute(f"ALTER EXTENSION plpgsql ADD {member}")
    assert read(any_database) == before


def test_temporary_objects_are_ignored(any_database: Database) -> None:
    with any_database.connect() as connection:
        before = read_catalog(connection)
        connection.execute(
            "CREATE TEMP TABLE t (id serial PRIMARY KEY); COMMENT ON TABLE t IS 'x'; CREATE TEMP VIEW v AS SELECT 1"
        )
        connection.execute("CREATE FUNCTION pg_temp.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; GRANT SELECT ON t TO PUBLIC")
        connection.execute("COMMENT ON FUNCTION pg_temp.f() IS 'x'; CREATE TYPE pg_temp.e AS ENUM ('a')")
        assert read_catalog(connection) == before


@pytest.mark.usefixtures("roles")
def test_no_password_is_in_a_catalog(any_database: Database) -> None:
    any_database.execute(RICH)
    written = str(read(any_database).objects)
    assert "hunter2" not in written
    assert "example.org" in written


@pytest.mark.usefixtures("roles")
def test_a_role_without_privileges_reads_the_same(any_database: Database) -> None:
    any_database.execute(RICH)
    any_database.execute("CREATE SCHEMA closed; CREATE TABLE closed.t (id integer DEFAULT 1)")
    with any_database.connect(user="catalog_other") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("TABLE closed.t")
        assert read_catalog(connection) == read(any_database)


@pytest.mark.usefixtures("roles")
def test_a_schema_made_by_another_role_is_the_same(any_database: Database) -> None:
    texts = "CREATE SCHEMA s; CREATE TABLE s.t (id serial); CREATE VIEW s.v AS TABLE s.t; REVOKE DELETE ON s.t FROM CURRENT_USER"
    any_database.execute(texts)
    before = read(any_database)
    any_database.execute("DROP SCHEMA s CASCADE")
    any_database.execute(f"GRANT CREATE ON DATABASE {any_database.name} TO {READER}; SET ROLE {READER}")
    any_database.execute(texts)
    assert read(any_database) == before


@pytest.mark.parametrize("within", [False, True], ids=["idle", "in a transaction"])
def test_the_state_of_a_session_does_not_change(any_database: Database, within: bool) -> None:
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in (*SETTINGS, "transaction_isolation"))
    with any_database.connect(autocommit=not within, row_factory=dict_row) as connection:
        connection.execute("SET search_path = public, pg_temp; SET quote_all_identifiers = on; SET DateStyle = 'German'")
        before, state = connection.execute(query).fetchone(), connection.info.transaction_status
        assert read_catalog(connection) == read(any_database)
        assert connection.info.transaction_status == state
        assert connection.execute(query).fetchone() == before


def test_objects_of_the_open_transaction_are_read_and_kept(any_database: Database) -> None:
    with any_database.connect() as connection, connection.transaction():
        connection.execute("CREATE TABLE t (id integer)")
        assert "table public.t" in map(str, read_catalog(connection).objects)
    assert "table public.t" in map(str, read(any_database).objects)


@pytest.mark.parametrize(
    "settings",
    [
        "quote_all_identifiers=on",
        "datestyle=German",
        "intervalstyle=sql_standard",
        "timezone=Asia/Tokyo",
        "extra_float_digits=-5",
        "bytea_output=escape",
        "search_path=shop,pg_catalog",
        "client_encoding=LATIN1",
        "standard_conforming_strings=off",
    ],
)
@pytest.mark.usefixtures("roles")
def test_settings_of_the_session_make_no_difference(any_database: Database, settings: str) -> None:
    any_database.execute(RICH)
    any_database.execute(
        r"CREATE TABLE shop.c (f float8 DEFAULT float8 '0.1234567890123', b bytea DEFAULT '\x00ff', p text DEFAULT '\')"
    )
    with any_database.connect(options=f"-c {settings}") as connection:
        assert read_catalog(connection) == read(any_database)
