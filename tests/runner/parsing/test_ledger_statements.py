"""Statements of a file on the ledger's tables, whose schema is known when a plan is made."""

import pytest

from tasks.runner.parsing import Script, ScriptError, read_script

VERSION = "20250101000000_create_a"


def read(text: str, schema: str = "public") -> Script:
    return read_script(text, file="f.sql", version=VERSION, ledger_schema=schema)


@pytest.mark.parametrize(
    ("statement", "message", "column"),
    [
        ("DROP TABLE schema_migrations", "DROP TABLE schema_migrations would change the ledger", 12),
        ('DROP TABLE IF EXISTS a, b, "schema_migrations" CASCADE', "DROP TABLE schema_migrations", 28),
        ("DROP TABLE public.schema_migrations_log", "DROP TABLE public.schema_migrations_log", 19),
        ("TRUNCATE a, Schema_Migrations_Meta", "TRUNCATE schema_migrations_meta", 13),
        ("ALTER TABLE schema_migrations RENAME TO x", "RENAME of schema_migrations", 13),
        ("ALTER TABLE schema_migrations RENAME COLUMN version TO v", "RENAME of schema_migrations", 13),
        ("ALTER TABLE schema_migrations_seeds SET SCHEMA x", "SET SCHEMA of schema_migrations_seeds", 13),
        ("ALTER TABLE schema_migrations DROP COLUMN checksum", "DROP COLUMN of schema_migrations", 13),
        ("ALTER TABLE schema_migrations ADD b int, DROP CONSTRAINT schema_migrations_pkey", "DROP CONSTRAINT of", 13),
        ("DELETE FROM schema_migrations", "DELETE FROM schema_migrations", 13),
        ("DELETE FROM schema_migrations WHERE version = 'another'", "DELETE FROM schema_migrations", 13),
        (f"DELETE FROM schema_migrations WHERE version <> '{VERSION}'", "DELETE FROM schema_migrations", 13),
        ("UPDATE public.schema_migrations SET checksum = NULL", "UPDATE public.schema_migrations", 15),
        ("MERGE INTO schema_migrations s USING a ON true WHEN MATCHED THEN DELETE", "MERGE INTO schema_migrations", 12),
        ("WITH gone AS (DELETE FROM schema_migrations) SELECT 1", "DELETE FROM schema_migrations", 27),
        ("INSERT INTO schema_migrations_log DEFAULT VALUES", "INSERT INTO schema_migrations_log", 13),
        ("COPY schema_migrations FROM '/tmp/x'", "COPY schema_migrations", 6),
        ('DROP TABLE U&"schema\\005fmigrations"', "DROP TABLE schema_migrations", 1),
        ("DROP SCHEMA a, public CASCADE", "DROP SCHEMA public would take away the ledger", 16),
        ("ALTER SCHEMA public RENAME TO old", "RENAME of the schema public would take away the ledger", 14),
        ("DO $$ BEGIN IF true THEN TRUNCATE schema_migrations; END IF; END $$", "TRUNCATE schema_migrations", 1),
        ("DO $$ BEGIN EXECUTE 'drop schema public cascade'; END $$", "DROP SCHEMA public", 1),
    ],
)
def test_a_statement_that_changes_the_ledger_is_refused_with_its_place(statement: str, message: str, column: int) -> None:
    with pytest.raises(ScriptError) as caught:
        read(f"SELECT 'é';\n{statement};")
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (2, column)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE IF NOT EXISTS schema_migrations (version text);",
        "GRANT SELECT ON schema_migrations TO PUBLIC; COMMENT ON TABLE schema_migrations IS 'ours';",
        "ALTER TABLE schema_migrations OWNER TO CURRENT_USER, ADD COLUMN IF NOT EXISTS checksum text;",
        "SELECT * FROM schema_migrations; LOCK TABLE schema_migrations;",
        "DROP TABLE rails.schema_migrations; DELETE FROM rails.schema_migrations; DROP SCHEMA rails CASCADE;",
        "INSERT INTO storage.schema_migrations (version) VALUES (1);",
        "SET search_path = rails; TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES ('1');",
        "SELECT pg_catalog.set_config('search_path', 'rails, \"other\"', false); UPDATE schema_migrations SET a = 1;",
        "DROP TABLE schema_migrations_before, old_schema_migrations;",
        "DROP VIEW v; DROP TYPE schema_migrations; INSERT INTO t VALUES ('DROP TABLE schema_migrations');",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM schema_migrations';",
        f"DELETE FROM schema_migrations WHERE version = '{VERSION}';",
        f"DELETE FROM schema_migrations AS s WHERE s.version = '{VERSION}'::text;",
        "DO $$ BEGIN TRUNCATE rails.schema_migrations; END $$;",
        "DO LANGUAGE plperl 'drop table schema_migrations';",
    ],
)
def test_anything_else_is_allowed(text: str) -> None:
    assert read(text).statements


def test_the_schema_of_the_ledger_decides() -> None:
    assert read("DROP TABLE public.schema_migrations; DROP SCHEMA public", schema="app").parsed
    for text in ("DROP TABLE app.schema_migrations", "DROP SCHEMA app", "SET search_path = app; TRUNCATE schema_migrations"):
        with pytest.raises(ScriptError, match="the ledger"):
            read(text, schema="app")


def test_a_search_path_with_the_schema_of_the_ledger_or_a_reset_one_reaches_it() -> None:
    for path in ("SET search_path = rails, public", "SET search_path = rails; RESET search_path"):
        with pytest.raises(ScriptError, match="TRUNCATE schema_migrations"):
            read(f"{path}; TRUNCATE schema_migrations")
