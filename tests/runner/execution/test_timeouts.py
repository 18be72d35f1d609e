"""A statement_timeout that cancels a statement of a file: who set it, and how to go on."""

from collections.abc import Iterator

import pytest

from tasks.runner.errors import RunnerError
from tasks.runner.events import Event, StatementFinished
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.kit.waiting import wait_until
from tests.runner.operating import A, Operator, collect_failure, list_done

PATIENT = RetryPolicy(lock_timeout_ms=30_000, attempts=1)
SLEEP = "SELECT 1;\nSELECT pg_sleep(1.2);"
"""The limit of a second applies to the first statement too."""
CANCELLED = """
SELECT FROM pg_stat_activity
 WHERE datname = current_database() AND query = 'SELECT pg_sleep(1.2)' AND wait_event = 'ClientRead'
"""


@pytest.mark.parametrize(
    ("change", "origin"),
    [
        ("ALTER DATABASE {0} SET statement_timeout = '1s'", "ALTER DATABASE {0}"),
        ("ALTER ROLE {1} IN DATABASE {0} SET statement_timeout = '1s'", "ALTER ROLE {1} IN DATABASE {0}"),
    ],
)
def test_the_error_names_who_set_the_timeout(change: str, origin: str, any_operator: Operator) -> None:
    database = any_operator.database
    ((user,),) = database.query("SELECT quote_ident(session_user)")
    database.execute(change.format(database.name, user))
    any_operator.write(A, SLEEP)
    _, error = collect_failure(migrate(any_operator.make_runner(), MigrateGoal()))
    assert error.message.splitlines()[1] == f"statement_timeout = 1s, set by {origin.format(database.name, user)}"
    assert error.hint == "To run it without that limit, insert above line 2:\nSET LOCAL statement_timeout = 0;"
    any_operator.write(A, SLEEP.replace("\n", "\nSET LOCAL statement_timeout = 0;\n"))
    assert list_done(any_operator.migrate()) == [A]


def test_the_role_is_named_for_a_statement_outside_a_transaction(database: Database, operator: Operator) -> None:
    ((user,),) = database.query("SELECT quote_ident(session_user)")
    database.execute(f"CREATE TABLE b (); ALTER ROLE {user} IN DATABASE {database.name} SET statement_timeout = '1s'")
    assert f"set by ALTER ROLE {user} IN DATABASE {database.name}" in cancel_vacuum(operator, "VACUUM b;").message


@pytest.mark.parametrize("is_late", [False, True], ids=["in time", "late"])
def test_the_options_of_the_url_are_named(is_late: bool, operator: Operator) -> None:
    """The statement is sent ahead: a slow client may begin to wait for it when it was cancelled long ago."""
    operator.write(A, SLEEP)
    runner = operator.make_runner()
    runner.url += f"{'&' if '?' in runner.url else '?'}options=-cstatement_timeout%3D1000"

    def run() -> Iterator[Event]:
        for event in migrate(runner, MigrateGoal()):
            if is_late and isinstance(event, StatementFinished):
                wait_until(lambda: operator.database.query(CANCELLED), what="the end of the statement")
            yield event

    _, error = collect_failure(run())
    assert "statement_timeout = 1s, set by the options of DATABASE_URL" in error.message


def test_the_files_own_timeout_is_named_with_its_line(operator: Operator) -> None:
    operator.write(A, f"SET LOCAL statement_timeout = '1s';\n{SLEEP}")
    _, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert error.message.splitlines()[1] == "statement_timeout: set on line 1, SET LOCAL statement_timeout = '1s'"


def test_a_cancellation_by_another_session_is_no_timeout(operator: Operator) -> None:
    operator.database.execute(f"ALTER DATABASE {operator.database.name} SET statement_timeout = '1min'")
    operator.write(A, "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(1);")
    _, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert error.hint == "Another session cancelled it (pg_cancel_backend). Run the same command again."


def cancel_vacuum(operator: Operator, text: str) -> RunnerError:
    """Migrate while a table is locked, so that the timeout cancels VACUUM, and return the error."""
    operator.write(A, text)
    with operator.database.connect() as blocker:
        blocker.execute("BEGIN; LOCK TABLE b IN SHARE UPDATE EXCLUSIVE MODE")
        _, error = collect_failure(migrate(operator.make_runner(policy=PATIENT), MigrateGoal()))
    assert error.sqlstate == "57014"
    return error


@pytest.mark.parametrize("header", ["", "-- migrate: no-transaction\n"])
@pytest.mark.parametrize("above", ["", "SET LOCAL statement_timeout = 0;\n", "SET LOCK_TIMEOUT TO 50000;\n"])
def test_the_hint_for_a_statement_outside_a_transaction_can_be_followed(
    header: str, above: str, database: Database, operator: Operator
) -> None:
    database.execute(f"CREATE TABLE b (); ALTER DATABASE {database.name} SET statement_timeout = '1s'")
    vacuum = "VACUUM b;\nCREATE TABLE c AS SELECT current_setting('statement_timeout') AS value;"
    hint = cancel_vacuum(operator, f"{header}CREATE TABLE a ();\n{above}{vacuum}").hint
    assert "\nSET statement_timeout = 0;" in hint
    operator.write(A, f"{header}CREATE TABLE a ();\nSET statement_timeout = 0;\n{vacuum}")
    assert list_done(operator.migrate()) == [A]
    assert database.query("TABLE c") == [("0",)]
    assert database.query("SHOW statement_timeout") == [("0",)]


def test_the_inserted_timeout_may_stand_at_the_top(database: Database, operator: Operator) -> None:
    database.execute(f"CREATE TABLE b (); ALTER DATABASE {database.name} SET statement_timeout = '1s'")
    text = "-- migrate: no-transaction\nCREATE TABLE a ();\nVACUUM b;"
    cancel_vacuum(operator, text)
    operator.write(A, text.replace("CREATE", "SET statement_timeout = 0;\nCREATE"))
    with database.connect() as blocker:
        blocker.execute("BEGIN; LOCK TABLE b IN SHARE UPDATE EXCLUSIVE MODE")
        runner = operator.make_runner(policy=PATIENT)
        for event in migrate(runner, MigrateGoal()):
            if event.kind == "statement_started":
                blocker.rollback()
    assert operator.read_states() == {A: "applied"}
