"""db.redo, db.mark and db.reset killed at any point, and two at once: the same command completes them."""

import psycopg
import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator

SLEEP = "SELECT pg_sleep(600);"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose local database has the migrations A and B."""
    operator = Operator(project, database)
    operator.write_tables(A, B)
    operator.migrate(environment="local")
    return operator


def ask(operator: Operator, text: str) -> object:
    """Return the value of a query in the server's maintenance database."""
    with psycopg.connect(operator.database.server.url("postgres"), autocommit=True) as connection:
        row = connection.execute(text).fetchone()
        return row and row[0]


def count_sessions(operator: Operator, where: str) -> object:
    return ask(operator, f"SELECT count(*) FROM pg_stat_activity WHERE {where}")


@pytest.mark.parametrize(("up", "down"), [(SLEEP, ""), ("", SLEEP)])
def test_a_redo_that_is_killed_is_completed_by_the_next(operator: Operator, up: str, down: str) -> None:
    operator.write(B, f"CREATE TABLE b (id int); {up}", f"DROP TABLE b; {down}")
    process = operator.project.start_inv("db.redo")
    wait_until(lambda: count_sessions(operator, f"datname = '{operator.database.name}' AND wait_event = 'PgSleep'") == 1)
    process.kill()
    process.communicate()
    operator.write(B, "CREATE TABLE b (id int, name text);", "DROP TABLE b;")
    operator.project.inv("db.redo", check=0)
    assert operator.database.query("SELECT name FROM b") == []
    assert operator.read_states() == {A: "applied", B: "applied"}


@pytest.mark.parametrize("seen", ["datname = '{}_reset'", "datname = '{}' AND oid <> {}"])
def test_a_reset_that_is_killed_is_completed_by_the_next(operator: Operator, seen: str) -> None:
    name = operator.database.name
    operator.database.execute(f"ALTER DATABASE \"{name}\" SET work_mem TO '5MB'")
    operator.database.close()
    oid = ask(operator, f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    with psycopg.connect(operator.database.server.url("postgres")) as connection:
        if "reset" in seen:
            # The prepared database gets its settings, and waits for this.
            connection.execute("LOCK TABLE pg_db_role_setting IN EXCLUSIVE MODE")
        process = operator.project.start_inv("db.reset", "--yes")
        wait_until(lambda: ask(operator, f"SELECT 1 FROM pg_database WHERE {seen.format(name, oid)}") == 1)
        process.kill()
        process.communicate()
    wait_until(lambda: count_sessions(operator, "application_name = 'migrate-database'") == 0)
    operator.project.inv("db.reset", "--yes", check=0)
    assert operator.read_states() == {A: "applied", B: "applied"}
    with operator.database.connect() as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)
    assert ask(operator, f"SELECT count(*) FROM pg_database WHERE datname = '{name}_reset'") == 0


@pytest.mark.parametrize("command", ["db.reset", "db.drop"])
def test_a_session_that_another_command_ended_is_refused(operator: Operator, command: str) -> None:
    name = operator.database.name
    with operator.database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE schema_migrations")
        process = operator.project.start_inv(command, "--yes")
        waits = f"datname = '{name}' AND application_name LIKE 'migrate-read %' AND wait_event_type = 'Lock'"
        pid = wait_until(lambda: ask(operator, f"SELECT pid FROM pg_stat_activity WHERE {waits}"))
        ask(operator, f"SELECT pg_terminate_backend({pid})")
    printed = process.communicate()
    assert process.returncode == 3, printed
    assert "a session of this command was ended; another command may have dropped the database" in printed[1]
    assert operator.read_states() == {A: "applied", B: "applied"}


@pytest.mark.parametrize(
    "arguments",
    [("db.reset", "--yes"), ("db.redo",), ("db.mark", B, "--unmark", "--yes"), ("db.drop", "--yes")],
    ids=lambda arguments: arguments[0],
)
def test_of_two_at_once_each_is_done_or_refused(operator: Operator, arguments: tuple[str, ...]) -> None:
    operator.database.close()
    processes = [operator.project.start_inv(*arguments) for _ in range(2)]
    ended = [(*process.communicate(), process.returncode) for process in processes]
    assert {0} <= {code for *_, code in ended} <= {0, 3}, ended
    if arguments[0] == "db.mark":
        assert operator.read_applied() == [A]
    else:
        operator.project.inv("db.create", "db.migrate", check=0)
        assert operator.read_applied() == [A, B]
