"""db.drift: `inv` as a process, with the shared server as the scratch server."""

import json
import os
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tasks.catalog import compare, read_catalog
from tasks.rehearsal.drift.drift import choose_texts
from tasks.runner.errors import RunnerError
from tasks.runner.events import StoredScript
from tasks.runner.files.checkout import read_migrations
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.rehearsal.neighbours import add_neighbour
from tests.runner.operating import A, B, C, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with two applied migrations."""
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int PRIMARY KEY);", "DROP TABLE a;")
    operator.write(B, "CREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY b_id ON b (id);", "DROP TABLE b;")
    operator.migrate()
    return operator


def find(operator: Operator, embedded: Server, *arguments: str, check: int = 0) -> str:
    env = {"SCRATCH_DATABASE_URL": embedded.url()}
    result = operator.project.inv("db.drift", *arguments, env=env, check=check)
    return result.stdout + result.stderr


def test_the_schema_after_the_migrations_is_not_drift(operator: Operator, embedded: Server) -> None:
    assert "No drift" in find(operator, embedded)


def test_a_change_outside_of_migrations_is_shown(operator: Operator, embedded: Server) -> None:
    operator.database.execute('ALTER TABLE a ADD COLUMN "By hand" int; DROP INDEX b_id')
    output = find(operator, embedded, check=4)
    assert '+ column "By hand" of public.a' in output
    assert "- index public.b_id of public.b" in output
    events = [json.loads(line) for line in find(operator, embedded, "--json", check=4).splitlines()]
    keys = [change["key"]["name"] for change in events[-1]["changes"]["changes"]]
    assert '"By hand"' in keys


def test_the_order_of_columns_and_what_an_upgrade_leaves_is_shown_but_no_drift(operator: Operator, embedded: Server) -> None:
    operator.write(C, "CREATE TABLE c (x int, y int);", "DROP TABLE c;")
    operator.migrate()
    operator.database.execute("GRANT CREATE ON SCHEMA public TO PUBLIC; DROP TABLE c; CREATE TABLE c (y int, x int)")
    output = find(operator, embedded)
    assert "not counted as drift: 2 differences" in output
    assert "+ grant PUBLIC of public" in output
    assert "~ column order public.c" in output
    assert "Not compared: owners, subscriptions, the settings of databases and roles" in output
    assert "No drift" in output
    assert "drifted" not in operator.project.inv("db.status", "--check").stdout


def test_a_checkout_that_is_behind_or_ahead_causes_no_findings(operator: Operator, embedded: Server) -> None:
    operator.remove(B)
    operator.write_tables(C)
    assert "No drift" in find(operator, embedded)


def test_migrations_are_replayed_in_the_order_in_which_they_were_applied(
    project: Project, database: Database, embedded: Server
) -> None:
    operator = Operator(project, database)
    operator.write(B, "CREATE TABLE t (b int);")
    operator.migrate()
    operator.write(A, "ALTER TABLE t ADD COLUMN a int;")
    operator.migrate()
    assert "No drift" in find(operator, embedded)


def test_a_version_without_a_stored_text_or_file_is_reported(operator: Operator, embedded: Server) -> None:
    operator.database.execute("DELETE FROM schema_migrations_scripts WHERE version = %s", B)
    assert "No drift" in find(operator, embedded)
    operator.write(B, "CREATE TABLE b ();")
    output = find(operator, embedded, check=1)
    assert f"does not have the text of {B}" in output
    assert "State: Nothing was changed." in output


def test_a_version_that_was_inserted_by_hand_is_replayed_from_its_file(operator: Operator, embedded: Server) -> None:
    operator.write_tables(C)
    operator.database.execute("CREATE TABLE c (id int)")
    operator.database.execute("INSERT INTO schema_migrations (version) VALUES (%s)", C)
    assert "No drift" in find(operator, embedded)


def test_the_target_is_refused_as_the_scratch_server(operator: Operator) -> None:
    result = operator.project.inv("db.drift", env={"SCRATCH_DATABASE_URL": operator.database.url}, check=3)
    assert "SCRATCH_DATABASE_URL" in result.stderr


def test_drift_is_written_as_a_migration_that_is_verified(operator: Operator, embedded: Server) -> None:
    operator.database.execute(
        """ALTER TABLE a ADD COLUMN "By hand" varchar(9) NOT NULL DEFAULT 'x' CHECK ("By hand" IN ('x', 'y'));
           CREATE TABLE "Näw" (id int PRIMARY KEY, a_id int REFERENCES a); CREATE INDEX ON "Näw" (a_id); DROP INDEX b_id"""
    )
    output = find(operator, embedded, "--as-migration=keep what was changed", check=4)
    assert "Verified on scratch" in output
    (up,) = (operator.project.migrations / "up").glob("*_keep_what_was_changed.sql")
    assert 'CREATE TABLE public."Näw"' in up.read_text()
    with fresh_database(embedded) as elsewhere:
        other = Operator(operator.project.at(elsewhere.url), elsewhere)
        other.migrate()
        with operator.database.connect() as one, elsewhere.connect() as two:
            assert compare(read_catalog(one), read_catalog(two)).changes == ()
        other.roll_back()
        assert other.database.query("SELECT to_regclass('b_id')::text") == [("b_id",)]


def test_an_invalid_name_is_refused_and_nothing_is_written(operator: Operator, embedded: Server) -> None:
    operator.database.execute("CREATE TABLE by_hand ()")
    find(operator, embedded, "--as-migration=/", check=2)
    assert len(list((operator.project.migrations / "up").iterdir())) == 2


def test_a_function_of_another_role_is_not_called_when_a_migration_is_verified(operator: Operator, embedded: Server) -> None:
    low, canary = "drift_low", "SELECT rolcreaterole FROM pg_roles WHERE rolname = 'drift_low'"
    with add_neighbour(embedded, low, "") as neighbour:
        operator.database.execute("CREATE SCHEMA app; GRANT CREATE, USAGE ON SCHEMA app TO drift_low")
        neighbour.execute(
            "CREATE FUNCTION app.f() RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN EXECUTE 'ALTER ROLE drift_low CREATEROLE'; RETURN 1; END $$",
            "CREATE MATERIALIZED VIEW app.m AS SELECT app.f() WITH NO DATA",
            database=operator.database.name,
        )
        output = find(operator, embedded, "--as-migration=keep it", check=4)
        found = operator.database.query(canary)
        operator.database.execute("DROP OWNED BY drift_low")
        assert "Verified on scratch: up produces this schema, down reverts it" in output
        assert found == [(False,)]


def test_what_a_statement_that_needs_more_rights_makes_is_no_drift(operator: Operator, embedded: Server) -> None:
    operator.write(
        C,
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n"
        "CREATE EVENT TRIGGER watch ON ddl_command_start WHEN TAG IN ('CREATE SEQUENCE') EXECUTE FUNCTION f();",
    )
    operator.migrate()
    output = find(operator, embedded)
    assert "No drift" in output
    assert "CREATE EVENT TRIGGER watch" in output
    operator.database.execute("CREATE TABLE by_hand ()")
    assert "+ table public.by_hand" in find(operator, embedded, check=4)
    assert "No drift" not in find(operator, embedded, "--as-superuser", check=4)


def test_what_another_role_put_into_the_schema_does_not_run_as_a_superuser(
    operator: Operator, embedded: Server, short_path: Path
) -> None:
    short_path.chmod(0o777)
    canary, role = short_path / "canary", f"drift_low_{os.getpid()}"
    operator.database.execute(f"CREATE ROLE {role}; CREATE SCHEMA app; GRANT ALL ON SCHEMA app TO {role}")
    try:
        operator.database.execute(
            f"SET ROLE {role}; CREATE FUNCTION app.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN\n"
            f"IF current_user <> '{role}' THEN COPY (SELECT 1) TO PROGRAM 'id > {canary}'; END IF; RETURN 1; END $$;\n"
            "CREATE MATERIALIZED VIEW app.m AS SELECT app.f() AS one; RESET ROLE"
        )
        find(operator, embedded, "--as-migration=keep", check=4)
        assert not canary.exists()
    finally:
        operator.database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_no_migration_is_written_if_statements_of_the_history_were_left_out_for_lack_of_rights(
    operator: Operator, embedded: Server
) -> None:
    operator.write(C, "SELECT 1;\nCREATE FUNCTION f() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1';")
    operator.migrate()
    operator.database.execute("ALTER TABLE a ADD COLUMN x int")
    refused = find(operator, embedded, "--as-migration=keep it", check=3)
    assert f"{C} (as applied):2 CREATE FUNCTION f()" in refused
    assert "State: No migration was created." in refused
    assert "--as-superuser" in refused
    assert "Verified on scratch" in find(operator, embedded, "--as-migration=keep it", "--as-superuser", check=4)


def test_a_text_that_another_role_wrote_does_not_run_and_is_reported(
    operator: Operator, embedded: Server, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    role = sql.Identifier(f"{operator.database.name}_app")
    operator.database.execute(
        sql.SQL("CREATE ROLE {0} LOGIN; GRANT SELECT, UPDATE ON schema_migrations_scripts TO {0}").format(role).as_string()
    )
    try:
        with psycopg.connect(operator.database.url, user=f"{operator.database.name}_app", autocommit=True) as connection:
            evil = f"COPY (SELECT 1) TO PROGRAM 'id >{canary}'; CREATE TABLE b (id int);"
            connection.execute("UPDATE schema_migrations_scripts SET up_text = %s WHERE version = %s", [evil, B])
        output = find(operator, embedded)
        assert f"{B}: the stored text does not run: its SHA-256 begins with" in output
        assert "The file of this checkout was used." in output
        assert "No drift" in output
        operator.remove(B)
        output = find(operator, embedded, check=1)
        assert f"not compared: the ledger does not have the text of {B}" in output
        assert f"{B}: the stored text does not run" in output
        assert not canary.exists()
    finally:
        operator.database.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role).as_string())


def test_texts_of_a_sender_that_does_not_judge_them_do_not_run(operator: Operator) -> None:
    script = StoredScript(A, "another", "DROP TABLE a", "DROP TABLE a")
    with pytest.raises(RunnerError, match="the machine has an older version of this tool"):
        choose_texts((script,), read_migrations(operator.project.migrations))


def test_what_only_the_target_has_blames_no_migration(older_server: Server, embedded: Server, project: Project) -> None:
    role = f"drift_reader_{os.getpid()}"
    with fresh_database(older_server) as target:
        if not target.query("SELECT FROM pg_available_extensions WHERE name = 'sslinfo'"):
            pytest.skip("this server has no sslinfo, which the embedded one lacks")
        operator = Operator(project.at(target.url), target)
        operator.write(A, f"CREATE TABLE a (id int);\nGRANT SELECT ON a TO {role};", "DROP TABLE a;")
        target.execute(f"CREATE ROLE {role}")
        operator.migrate()
        assert "No drift" in find(operator, embedded)
        operator.write(
            B, "CREATE EXTENSION sslinfo;\nCREATE VIEW secure AS SELECT ssl_is_used();", "DROP EXTENSION sslinfo CASCADE;"
        )
        operator.write_tables(C)
        operator.migrate()
        refused = find(operator, embedded, check=3)
        assert "not compared: the scratch server does not have the extension sslinfo" in refused
        assert "image: postgres:18" in refused
        answered = find(operator, embedded, "--without-extension=sslinfo")
        assert "No drift" in answered
        assert "not checked: " in answered
        target.execute(f"DROP TABLE a; DROP ROLE {role}")
