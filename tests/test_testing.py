"""The pytest plugin: a database with the current schema for each test of an application."""

import signal
from pathlib import Path

import psycopg
import pytest

from tests.kit.applications import AppUnderTest, make_application
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B

USERS = "CREATE TABLE users (id int PRIMARY KEY, name text);"
SEED = "001_users"
TESTS = """
import asyncio
import psycopg
import pytest
from tasks.runner import MigrationRunner

LEFT_OPEN = []

def count(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM users").fetchone()[0]

@pytest.mark.parametrize("number", range(3))
def test_each_test_has_an_empty_table(migrated_database, number):
    assert migrated_database.startswith("postgresql://")
    LEFT_OPEN.append(psycopg.connect(migrated_database, autocommit=True))
    LEFT_OPEN[-1].execute("INSERT INTO users VALUES (1, 'Ada')")
    assert count(migrated_database) == 1

def test_the_sessions_of_the_others_were_ended(migrated_database):
    with pytest.raises(psycopg.OperationalError):
        while True:
            LEFT_OPEN[0].execute("SELECT pg_sleep(0.01)")
    for connection in LEFT_OPEN:
        connection.close()

def test_the_application_finds_it_current(migrated_database, pytestconfig):
    folder = pytestconfig.rootpath / "migrations"
    assert asyncio.run(MigrationRunner(migrated_database, migrations_dir=folder).is_current_async())

@pytest.mark.seeds
def test_it_has_the_seeds(migrated_database):
    assert count(migrated_database) == 2

@pytest.mark.seeds
class TestWithSeeds:
    def test_a_class_can_be_marked(self, migrated_database):
        assert count(migrated_database) == 2

def test_without_the_fixture():
    pass
"""
ONE = "def test_one(migrated_database):\n    print('DATABASE', migrated_database, flush=True)\n"


@pytest.fixture
def application(tmp_path: Path, database: Database) -> AppUnderTest:
    """Return an application with a table and a seed, whose tests use a server of this run."""
    application = make_application(tmp_path / "app", database.server.url())
    application.project.write_up(A, USERS)
    application.project.write_down(A, "DROP TABLE users;")
    application.project.write_seed(SEED, "INSERT INTO users VALUES (1, 'Ada'), (2, 'Bob');")
    return application


def list_databases(url: str, kind: str) -> list[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT datname::text FROM pg_database WHERE starts_with(datname, %s)"
        return [row[0] for row in connection.execute(query, [f"migrate_{kind}_"])]


def read_database(output: str) -> str:
    """Return the name of the database that a test has printed."""
    (line,) = (line for line in output.splitlines() if "DATABASE" in line)
    return line.partition("postgresql://")[2].partition("/")[2].partition("?")[0]


def test_each_test_has_a_database_of_its_own(application: AppUnderTest) -> None:
    application.write("test_app.py", TESTS)
    run = application.test("-q")
    assert (run.code, run.results) == (0, {"passed": 8}), run.output


def test_the_workers_of_a_run_share_one_template_and_leave_no_copy(application: AppUnderTest, own_server: OwnServer) -> None:
    shared = AppUnderTest(application.project, own_server.url())
    shared.write("test_app.py", TESTS.replace("range(3)", "range(12)"))
    run = shared.test("-q", "-n", "3", "-k", "empty or seeds")
    assert (run.code, run.results) == (0, {"passed": 14}), run.output
    assert list_databases(own_server.url(), "scratch") == []
    # The state after the migrations, and the templates with and without seeds.
    assert len(list_databases(own_server.url(), "cache")) == 3


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_migration_that_fails_is_one_error_without_a_traceback(application: AppUnderTest, arguments: tuple[str, ...]) -> None:
    application.project.write_up(B, "CREATE TABLE other ();\nALTER TABLE no_such_table ADD x int;")
    application.write("test_app.py", TESTS.replace("range(3)", "range(20)"))
    run = application.test("-q", "-rs", *arguments)
    assert (run.code, run.results) == (1, {"passed": 1, "error": 1, "skipped": 23}), run.output
    assert 'relation "no_such_table" does not exist' in run.output
    assert f"{B}.sql:2" in run.output
    assert "Traceback" not in run.output
    assert "tasks/rehearsal" not in run.output


def test_a_seed_that_fails_leaves_the_other_tests_alone(application: AppUnderTest) -> None:
    application.project.write_seed(SEED, "INSERT INTO nowhere VALUES (1);")
    application.write("test_app.py", TESTS)
    run = application.test("-q")
    assert (run.code, run.results) == (1, {"passed": 6, "error": 1, "skipped": 1}), run.output
    assert f"{SEED}.sql:1" in run.output


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MIGRATIONS_DIR": "nowhere"}, "there is no migrations folder nowhere"),
        ({"SCRATCH_DATABASE_URL": "mysql://me:hunter2@host/none"}, "SCRATCH_DATABASE_URL: it begins with mysql://"),
    ],
    ids=["no folder", "no URL"],
)
def test_a_wrong_setting_is_named(application: AppUnderTest, variables: dict[str, str], message: str) -> None:
    application.write("test_app.py", ONE)
    run = application.test("-q", **variables)
    assert (run.code, run.results) == (1, {"error": 1}), run.output
    assert message in run.output
    assert "Traceback" not in run.output
    assert "hunter2" not in run.output


def test_the_next_run_drops_what_a_killed_one_left(application: AppUnderTest) -> None:
    application.write("test_app.py", f"{ONE}    import time; time.sleep(100)\n")
    process = application.start("-q", "-s")
    assert process.stdout is not None
    line = next(line for line in process.stdout if "DATABASE" in line)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = read_database(line)
    assert left in list_databases(application.server_url, "scratch")
    application.write("test_app.py", ONE)

    def is_dropped() -> bool:
        assert application.test("-q").code == 0
        return left not in list_databases(application.server_url, "scratch")

    # The server notices the end of a process a moment later.
    wait_until(is_dropped, what="the drop of the database that was left")
