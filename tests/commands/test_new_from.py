"""db.new with a wanted schema: the exit code, the output, and the files."""

import json
import os
import signal
import sys

import pytest

from tasks.rehearsal.rows import read_rows
from tests.kit.databases import Database
from tests.kit.dialogues import run_dialogue
from tests.kit.projects import REPOSITORY, Project
from tests.kit.servers import Server
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator

USERS = "CREATE TABLE users (id int PRIMARY KEY, email text);\n"
WANTED = f"{USERS}ALTER TABLE users ADD name text;\nCREATE INDEX users_name ON users (name);\n"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with one migration, which no database has applied."""
    operator = Operator(project, database)
    operator.write(A, USERS, "DROP TABLE users;")
    return operator


def new(operator: Operator, embedded: Server, *arguments: str, check: int) -> str:
    result = operator.project.inv("db.new", "change it", *arguments, env={"SCRATCH_DATABASE_URL": embedded.url()}, check=check)
    return result.stdout + result.stderr


def write(operator: Operator, text: str) -> str:
    path = operator.project.root / "wanted.sql"
    path.write_text(text)
    return f"--from-schema={path.name}"


def list_files(operator: Operator) -> list[str]:
    folder = operator.project.migrations
    return sorted(path.relative_to(folder).parent.name for path in folder.rglob("*_change_it*.sql"))


def test_a_schema_file_becomes_a_migration_that_runs_both_ways(operator: Operator, embedded: Server) -> None:
    flag = write(operator, WANTED)
    output = new(operator, embedded, flag, check=0)
    assert output.startswith(
        "Comparing the schema file wanted.sql with a replay of 1 migration, and proving the files, on a scratch"
    )
    assert "+ column name of public.users" in output
    assert "Proved on scratch: up, down and up again, with rows in 1 table" in output
    (up,) = (operator.project.migrations / "up").glob("*_create_users_name.sql")
    assert "CREATE INDEX CONCURRENTLY users_name" in up.read_text()
    operator.migrate()
    assert operator.database.query("SELECT indexname::text FROM pg_indexes WHERE indexname = 'users_name'") == [("users_name",)]
    operator.project.inv("db.lint", "--env=local", "--all", env={"SCRATCH_DATABASE_URL": embedded.url()}, check=0)
    assert "Nothing differs between the migrations and the schema file wanted.sql" in new(operator, embedded, flag, check=0)
    assert list_files(operator) == ["down", "up"]


def test_the_files_contain_only_what_the_oldest_version_has(operator: Operator, embedded: Server) -> None:
    table = "CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + {}) STORED);"
    operator.write(B, table.format(1), "DROP TABLE t;")
    flag = write(operator, USERS + table.format(2))
    settings = {"SCRATCH_DATABASE_URL": embedded.url(), "OLDEST_POSTGRES": "15"}
    result = operator.project.inv("db.new", "change it", flag, "--allow-loss", env=settings, check=0)
    assert "Written for PostgreSQL 15 and later, proved on PostgreSQL 18" in result.stdout
    ups = [path.read_text() for path in (operator.project.migrations / "up").iterdir() if path.stem > B]
    assert "ADD COLUMN g" in "".join(ups)
    assert "SET EXPRESSION" not in "".join(ups)


def test_each_fact_is_an_event(operator: Operator, embedded: Server) -> None:
    lines = new(operator, embedded, write(operator, WANTED), "--json", check=0).splitlines()
    proposed, created = (json.loads(line) for line in lines)
    assert (proposed["kind"], proposed["tables"], proposed["conditions"]) == ("migration_proposed", 1, [])
    assert {"name", "public.users_name"} <= {change["key"]["name"] for change in proposed["changes"]["changes"]}
    assert created["kind"] == "migrations_created"
    versions = [migration["version"].partition("_")[2] for migration in created["migrations"]]
    assert versions == proposed["files"] == ["change_it", "create_users_name"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--from-env=local"], "--from-schema and --from-env exclude each other"),
        (["--start"], "--start needs --from-env"),
        (["--rename=a"], "is not of the form OLD=NEW"),
        (["--exclude=a.b.c"], "a.b.c is not the name of a table"),
        (["--timeout=x"], "--timeout"),
        (["--from-env="], "exclude each other"),
    ],
)
def test_flags_that_do_not_fit_are_wrong_usage(operator: Operator, embedded: Server, flags: list[str], message: str) -> None:
    assert message in new(operator, embedded, write(operator, WANTED), *flags, check=2)
    assert list_files(operator) == []


@pytest.mark.parametrize("flag", ["--rename=a=b", "--drop=a", "--exclude=a", "--allow-loss", "--json", "--timeout=5"])
def test_a_flag_without_a_source_is_wrong_usage(operator: Operator, embedded: Server, flag: str) -> None:
    assert f"{flag.split('=')[0]} needs a source of the schema" in new(operator, embedded, flag, check=2)


def test_a_source_without_a_value_is_wrong_usage(operator: Operator, embedded: Server) -> None:
    assert "--from-schema has no value" in new(operator, embedded, "--from-schema=", check=2)
    assert list_files(operator) == []


def test_a_loss_and_a_rename_are_refused_with_the_flags_that_allow_them(operator: Operator, embedded: Server) -> None:
    flag = write(operator, "CREATE TABLE users (id int PRIMARY KEY);")
    output = new(operator, embedded, flag, check=3)
    assert "drops column users.email with its values" in output
    assert "--allow-loss" in output
    assert list_files(operator) == []
    flag = write(operator, USERS.replace("email", "e_mail"))
    assert "--rename 'users.email=e_mail'   or   --drop 'users.email'" in new(operator, embedded, flag, check=3)
    assert list_files(operator) == []
    output = new(operator, embedded, flag, "--rename=users.email=e_mail", check=0)
    assert "1 difference (+ wanted, - in the migrations)\n   > column email of public.users is now e_mail\n" in output


def test_a_rename_is_asked_about_at_a_terminal(operator: Operator, embedded: Server) -> None:
    flag = write(operator, USERS.replace("email", "e_mail"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(operator.project.root), "LC_ALL": "C.UTF-8"}
    environment |= {"SCRATCH_DATABASE_URL": embedded.url(), "MIGRATIONS_DIR": str(operator.project.migrations)}
    command = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), "db.new", "change it", flag]
    code, output = run_dialogue(command, ["1\n"], cwd=operator.project.root, environment=environment, question="Answer: ")
    assert code == 0
    assert "Proved on scratch: up, down and up again, with rows in 1 table" in output
    assert set(list_files(operator)) == {"up", "down"}


def test_what_was_made_in_an_environment_is_made_by_a_migration(operator: Operator, embedded: Server) -> None:
    operator.migrate()
    operator.database.execute("ALTER TABLE users ADD name text; INSERT INTO users VALUES (1, 'a', 'b')")
    output = new(operator, embedded, "--from-env=local", check=0)
    assert "+ column name of public.users" in output
    with operator.database.connect() as connection:
        assert read_rows(connection)["public.users"].rows == 1
    (up,) = (operator.project.migrations / "up").glob("*_change_it.sql")
    assert "ADD COLUMN name text" in up.read_text()
    assert f"inv db.mark --env=local {up.stem}" in output


def test_an_environment_without_a_migration_of_the_checkout_is_refused(operator: Operator, embedded: Server) -> None:
    operator.migrate()
    operator.write(B, "CREATE TABLE b (id int);", "DROP TABLE b;")
    output = new(operator, embedded, "--from-env=local", check=3)
    assert f"local has not applied {B}: a new migration would undo what they make" in output
    assert f"inv db.mark --env=local {B}" in output
    assert "db.drift --env=local --as-migration NAME" in output


def test_an_environment_with_another_text_of_a_migration_is_refused(operator: Operator, embedded: Server) -> None:
    operator.migrate()
    up = operator.project.migrations / "up" / f"{A}.sql"
    up.write_bytes(up.read_bytes().replace(b"\n", b"\r\n"))
    assert "Nothing differs" in new(operator, embedded, "--from-env=local", check=0)
    up.write_text(up.read_text() + "ALTER TABLE users ADD edited int;\n")
    output = new(operator, embedded, "--from-env=local", check=3)
    assert f"local has applied {A} with another text" in output
    assert list_files(operator) == []


def test_a_schema_file_that_does_not_load_is_named_with_its_line(operator: Operator, embedded: Server) -> None:
    output = new(operator, embedded, write(operator, f"{USERS}\nCREATE TABLE t (a nothing);\n"), check=3)
    assert "wanted.sql:3" in output
    assert "the schema file does not load on scratch" in output
    assert "Correct the file, then run the command again." in output
    assert "Nothing was written" in output
    output = new(operator, embedded, write(operator, f"{USERS}\nCREATE TABEL t;\n"), check=3)
    assert "the schema file cannot be read: syntax error" in output
    assert "Nothing was written" in output
    assert "nowhere.sql" in new(operator, embedded, "--from-schema=nowhere.sql", check=3)


def test_the_files_are_opened_in_the_editor(operator: Operator, embedded: Server) -> None:
    env = {"SCRATCH_DATABASE_URL": embedded.url(), "VISUAL": "", "EDITOR": "ls"}
    result = operator.project.inv("db.new", "change it", "--edit", write(operator, WANTED), env=env, check=0)
    root = operator.project.root
    paths = sorted(str(path.relative_to(root)) for path in operator.project.migrations.rglob("*.sql") if path.stem != A)
    assert result.stdout.splitlines()[-len(paths) :] == paths


def test_the_first_migration_of_a_project_can_come_from_a_schema(project: Project, database: Database, embedded: Server) -> None:
    operator = Operator(project, database)
    output = new(operator, embedded, write(operator, USERS), check=0)
    assert "with a replay of 0 migrations" in output
    assert list_files(operator) == ["down", "up"]


def test_models_become_a_migration_once(operator: Operator, embedded: Server) -> None:
    models = """
from sqlalchemy import Column, Integer, MetaData, Table, Text

metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True, autoincrement=False), Column("email", Text), Column("n", Text))
Table("other", metadata, Column("id", Integer))
"""
    (operator.project.root / "shop.py").write_text(models)
    output = new(operator, embedded, "--from-models=shop:metadata", "--exclude=other", check=0)
    assert "Comparing the models shop:metadata with a replay of 1 migration" in output
    assert "+ column n of public.users" in output
    assert "public.other" not in output
    assert list_files(operator) == ["down", "up"]
    env = {"SCRATCH_DATABASE_URL": embedded.url(), "MODELS": "shop:metadata"}
    output = operator.project.inv("db.new", "--from-models", "--exclude=other", "it", env=env, check=0).stdout
    assert "Nothing differs between the migrations and the models shop:metadata" in output


def test_ctrl_c_ends_it_and_writes_nothing(operator: Operator, embedded: Server) -> None:
    # Other tests sleep on the same server.
    sleep = f"SELECT pg_sleep(600) AS {operator.database.name}"
    flag = write(operator, f"{USERS}{sleep};\n")
    running = operator.project.start_inv("db.new", "change it", flag, env={"SCRATCH_DATABASE_URL": embedded.url()})
    slept = "SELECT FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, %s)"
    wait_until(lambda: operator.database.query(slept, sleep), what="the statement of the schema file")
    running.send_signal(signal.SIGINT)
    assert "Stopped by Ctrl-C. No database was changed." in running.communicate()[1]
    assert list_files(operator) == []
