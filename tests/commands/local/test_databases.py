"""db.create, db.drop and db.reset: `inv` as a process, on a database of its own on the shared server."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator


def ask(operator: Operator, text: str) -> list[tuple[object, ...]]:
    """Return the rows of a query in the server's maintenance database."""
    with psycopg.connect(operator.database.server.url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def exists(operator: Operator, suffix: str = "") -> bool:
    """Return True if the database of an operator exists, or that of its name with a suffix."""
    return bool(ask(operator, f"SELECT 1 FROM pg_database WHERE datname = '{operator.database.name}{suffix}'"))


def drop(operator: Operator) -> None:
    operator.database.close()
    ask(operator, f'DROP DATABASE "{operator.database.name}" WITH (FORCE)')


@pytest.fixture
def local(operator: Operator) -> Iterator[Operator]:
    """Yield an operator whose local database has the migration A, a row, and the pending migration B and a seed."""
    operator.write_tables(A)
    operator.migrate(environment="local")
    operator.database.execute("INSERT INTO a VALUES (1)")
    operator.database.close()
    operator.write_tables(B)
    operator.project.write_seed("001_one", "INSERT INTO b VALUES (7);")
    yield operator
    spare = sql.Identifier(f"{operator.database.name}_reset").as_string(None)
    ask(operator, f"DROP DATABASE IF EXISTS {spare} WITH (FORCE)")


def test_create_makes_the_database_of_the_url(operator: Operator) -> None:
    drop(operator)
    assert "✅ Created the database" in operator.project.inv("db.create", check=0).stdout
    assert operator.database.query("SHOW server_encoding") == [("UTF8",)]
    result = operator.project.inv("db.create", "--json", check=0)
    assert json.loads(result.stdout)["change"] == "exists"


def test_create_says_what_the_role_lacks(operator: Operator) -> None:
    drop(operator)
    ask(operator, "DROP ROLE IF EXISTS no_creator")
    ask(operator, "CREATE ROLE no_creator LOGIN")
    try:
        url = psycopg.conninfo.make_conninfo(operator.database.url, user="no_creator")
        result = operator.project.inv("db.create", env={"DATABASE_URL": url}, check=1)
        assert "CREATEDB" in result.stderr
    finally:
        ask(operator, "DROP ROLE no_creator")


def test_drop_ends_its_sessions_and_may_be_repeated(local: Operator) -> None:
    local.database.execute("ANALYZE a")
    sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    # Those that were closed before may still end.
    wait_until(lambda: len(local.database.query(sessions)) == 1, what="the end of the other sessions")
    ((pid,),) = local.database.query(sessions)
    refused = local.project.inv("db.drop", check=3, input="")
    assert f"pid {pid}" in refused.stderr
    assert "1 table, about 1 row," in refused.stderr
    assert "It also ends 1 session" in refused.stderr
    local.project.inv("db.drop", "--yes", check=0)
    assert not exists(local)
    assert "does not exist" in local.project.inv("db.drop", check=0).stdout


def test_reset_drops_creates_migrates_and_seeds(local: Operator) -> None:
    result = local.project.inv("db.reset", "--yes", check=0)
    assert "✅ Dropped and created the database" in result.stdout
    assert "🌱 Seeded 001_one" in result.stdout
    assert local.database.query("TABLE a") == []
    assert local.database.query("TABLE b") == [(7,)]
    assert local.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("local",)]
    assert not exists(local, "_reset")


def test_reset_without_seeds(local: Operator) -> None:
    local.project.inv("db.reset", "--yes", "--no-seed", check=0)
    assert local.database.query("TABLE b") == []


def test_reset_creates_a_database_that_does_not_exist(local: Operator) -> None:
    drop(local)
    assert "✅ Created the database" in local.project.inv("db.reset", check=0).stdout
    assert local.read_applied() == [A, B]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 3), ("\n", 3), ("\x04", 3)])
def test_reset_asks_in_a_terminal(local: Operator, answer: str, code: int) -> None:
    result, output = local.project.answer_inv("db.reset", answers=[answer])
    assert result == code
    assert "db.reset drops the database" in output
    assert (local.database.query("SELECT count(*) FROM a") == [(0,)]) == (code == 0)


@pytest.mark.parametrize("task", ["db.reset", "db.drop", "db.redo"])
@pytest.mark.parametrize("label", ["prod", ""])
def test_what_is_not_local_is_refused(local: Operator, task: str, label: str) -> None:
    if label:
        local.database.execute("UPDATE schema_migrations_meta SET value = %s WHERE key = 'environment'", label)
    else:
        local.database.execute("DELETE FROM schema_migrations_meta WHERE key = 'environment'")
    local.database.close()
    arguments = () if task == "db.redo" else ("--yes",)
    result = local.project.inv(task, *arguments, check=3)
    assert f"{task} works on local databases only" in result.stderr
    assert local.database.query("TABLE a") == [(1,)]


def test_settings_of_the_database_survive_a_reset(local: Operator) -> None:
    name = local.database.name
    ask(local, "DROP ROLE IF EXISTS reset_role")
    ask(local, "CREATE ROLE reset_role")
    try:
        for text in (
            f'ALTER DATABASE "{name}" SET search_path TO "$user", public, "a ""b"',
            f"ALTER DATABASE \"{name}\" SET app.text TO 'it''s, \"x\"'",
            f"ALTER DATABASE \"{name}\" SET work_mem TO '5MB'",
            f"ALTER ROLE reset_role IN DATABASE \"{name}\" SET statement_timeout TO '3s'",
            f'ALTER DATABASE "{name}" CONNECTION LIMIT 50',
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
            f'GRANT CONNECT ON DATABASE "{name}" TO reset_role WITH GRANT OPTION',
            f"COMMENT ON DATABASE \"{name}\" IS 'it''s mine'",
            f'ALTER DATABASE "{name}" OWNER TO reset_role',
        ):
            ask(local, text)
        before = read_properties(local)
        local.project.inv("db.reset", "--yes", check=0)
        assert read_properties(local) == before
    finally:
        local.database.close()
        ask(local, f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER')
        ask(local, f'REVOKE ALL ON DATABASE "{name}" FROM reset_role')
        ask(local, f'ALTER ROLE reset_role IN DATABASE "{name}" RESET ALL')
        ask(local, "DROP ROLE reset_role")


def read_properties(operator: Operator) -> list[tuple[object, ...]]:
    """Return what a database has beside its content."""
    where = f"datname = '{operator.database.name}'"
    return [
        *ask(
            operator,
            "SELECT datdba, encoding, datcollate, datctype, dattablespace, datconnlimit, datallowconn, datacl::text,"
            " to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'datlocprovider', shobj_description(d.oid, 'pg_database')"
            f" FROM pg_database d WHERE {where}",
        ),
        *ask(
            operator,
            "SELECT setrole, setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
            f" WHERE {where} ORDER BY 1",
        ),
    ]


def test_a_reset_that_was_interrupted_is_completed_with_the_settings(local: Operator) -> None:
    name = local.database.name
    ask(local, f"ALTER DATABASE \"{name}\" SET work_mem TO '5MB'")
    ask(local, f'CREATE DATABASE "{name}_reset" TEMPLATE template0 ALLOW_CONNECTIONS false')
    ask(local, f"ALTER DATABASE \"{name}_reset\" SET work_mem TO '6MB'")
    drop(local)
    local.project.inv("db.reset", check=0)
    assert local.database.query("SHOW work_mem") == [("6MB",)]
    assert not exists(local, "_reset")


def test_what_an_interrupted_reset_prepared_is_made_again(local: Operator) -> None:
    ask(local, f'CREATE DATABASE "{local.database.name}_reset" TEMPLATE template0 ALLOW_CONNECTIONS false')
    local.project.inv("db.reset", "--yes", check=0)
    assert not exists(local, "_reset")


def test_a_database_of_another_that_has_the_name_is_not_touched(local: Operator) -> None:
    ask(local, f'CREATE DATABASE "{local.database.name}_reset" TEMPLATE template0')
    result = local.project.inv("db.reset", "--yes", check=3)
    assert "its name is needed" in result.stderr
    assert exists(local, "_reset")
    assert local.database.query("TABLE a") == [(1,)]


def test_a_migration_that_fails_leaves_a_database_that_can_be_reset_again(local: Operator) -> None:
    local.write(B, "SELECT 1/0;")
    result = local.project.inv("db.reset", "--yes", check=1)
    assert "The new database is not complete" in result.stderr
    local.write_tables(B)
    local.project.inv("db.reset", "--yes", check=0)
    assert local.read_applied() == [A, B]
