"""Files whose statements concern the ledger: refused before anything runs, with the ledger's own schema."""

import pytest
from psycopg import sql

from tasks.runner.errors import RefusedError, StatementError
from tests.runner.operating import A, B, Operator, list_done


def test_a_statement_on_the_ledger_is_refused_before_anything_runs(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();")
    operator.write(B, "CREATE TABLE b ();\ndrop schema public cascade; create schema public;")
    with pytest.raises(RefusedError, match="DROP SCHEMA public would take away the ledger") as caught:
        operator.migrate()
    assert caught.value.place is not None
    assert caught.value.place.line == 2
    assert operator.database.query("SELECT to_regclass('a')") == [(None,)]


def test_the_ledger_of_the_search_path_is_meant(operator: Operator) -> None:
    operator.database.execute("CREATE SCHEMA app; CREATE SCHEMA rails; CREATE TABLE rails.schema_migrations (version text)")
    alter = sql.SQL("ALTER DATABASE {} SET search_path = app").format(sql.Identifier(operator.database.name))
    operator.database.execute(alter.as_string())
    insert = "INSERT INTO rails.schema_migrations VALUES ('20240101000000');"
    operator.write(A, f"{insert}\nDROP TABLE IF EXISTS public.schema_migrations;")
    assert list_done(operator.migrate()) == [A]
    assert operator.database.query("TABLE rails.schema_migrations") == [("20240101000000",)]
    operator.write(B, "TRUNCATE app.schema_migrations;")
    with pytest.raises(RefusedError, match=r"TRUNCATE app\.schema_migrations would change the ledger"):
        operator.migrate()


def test_a_statement_that_only_the_server_knows_names_what_it_took_away(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();")
    operator.migrate()
    operator.write(B, "DO $$ BEGIN EXECUTE 'drop schema ' || 'public cascade'; END $$;\nCREATE SCHEMA public;")
    with pytest.raises(StatementError, match="drops or renames the tables of the ledger, or their schema"):
        operator.migrate()
    assert [row.state for row in operator.read_status().rows] == ["applied", "failed"]
