"""The log of failures: whatever a file did to its session, and whatever became of that."""

import os
import re
from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from tasks.runner.errors import RunnerError
from tasks.runner.events import NoticeRaised, StatementStarted
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.operations.migrate import migrate, rollback
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tests.kit.databases import Database
from tests.runner.operating import A, B, Operator, collect_failure, pick
from tests.stress.blocking import end_session

TABLE = "CREATE TABLE a (id int);"
INDEX = "CREATE INDEX CONCURRENTLY a_id ON a (id);"
END = "SELECT pg_terminate_backend(pg_backend_pid());"
ROLE = f"role_{os.getpid()}"
MAKE_ROLE = f"CREATE ROLE {ROLE}; GRANT CREATE ON SCHEMA public TO {ROLE}; ALTER TABLE a OWNER TO {ROLE};"


def read_failures(database: Database) -> list[tuple[str, str, str]]:
    """Return version, SQLSTATE and the first words of the error of each failure in the log."""
    query = """SELECT coalesce(version, ''), coalesce(sqlstate, ''), left(error, 20)
                 FROM schema_migrations_log WHERE outcome = 'failed' ORDER BY id"""
    return database.query(query)


def fail(operator: Operator, role: str = "") -> RunnerError:
    """Migrate with a file that fails, as a role, and return the error."""
    runner = operator.make_runner()
    runner.url = make_conninfo(runner.url, user=role) if role else runner.url
    return collect_failure(migrate(runner, MigrateGoal()))[1]


def read_unsure(operator: Operator) -> bool:
    with operator.make_runner().read() as connection:
        return read_ledger(connection).attempts[A].unsure


@pytest.fixture
def login(database: Database) -> Iterator[str]:
    """Yield a role that owns the schema public, and may take the role `ROLE`, which may not use the ledger."""
    login = f"{ROLE}_login"
    database.execute(f"CREATE ROLE {ROLE}; CREATE ROLE {login} LOGIN IN ROLE {ROLE}; ALTER SCHEMA public OWNER TO {login}")
    database.execute(f"ALTER DATABASE {database.name} OWNER TO {login}")
    yield login
    for role in (login, ROLE):
        database.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")
    for role in (login, ROLE):
        database.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("connections", [-1, 2])
@pytest.mark.parametrize(
    "change",
    [
        f"SET ROLE {ROLE};",
        "SET search_path TO pg_temp;",
        "SET statement_timeout = '1min'; SET row_security = off;",
        "SET default_transaction_read_only = on;",
    ],
    ids=["role", "search_path", "timeout", "read-only"],
)
def test_a_failure_is_logged_whatever_the_file_set(change: str, connections: int, login: str, operator: Operator) -> None:
    operator.database.execute(f"ALTER ROLE {login} CONNECTION LIMIT {connections}")
    operator.write(A, f"{TABLE}\n{change}\nVACUUM public.a;\nSELECT 1/0;")
    error = fail(operator, login)
    assert error.sqlstate in ("22012", "25006")
    assert [row[:2] for row in read_failures(operator.database)] == [(A, error.sqlstate), ("", error.sqlstate)]
    assert operator.read_status().rows[0].failed
    assert not read_unsure(operator)


def test_a_failure_is_logged_after_set_session_authorization(login: str, operator: Operator) -> None:
    operator.write(A, f"{TABLE}\nSET SESSION AUTHORIZATION {login};\nVACUUM a;\nSELECT 1/0;")
    assert fail(operator).sqlstate == "22012"
    assert [row[0] for row in read_failures(operator.database)] == [A, ""]


def test_a_failure_is_logged_where_new_sessions_are_read_only(login: str, operator: Operator) -> None:
    operator.write(A, f"ALTER DATABASE {operator.database.name} SET default_transaction_read_only = on;\nVACUUM;\nSELECT 1/0;")
    assert fail(operator, login).sqlstate == "22012"
    assert [row[0] for row in read_failures(operator.database)] == [A, ""]


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        (f"{TABLE} {END}", False),
        (f"{TABLE}\n{INDEX}\nCREATE TABLE b (); {END}", False),
        (f"-- migrate: no-transaction\n{TABLE}\nDO $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$;", False),
        (f"{TABLE}\n{INDEX}\nSET idle_session_timeout = '10ms'; SELECT 1/0;", True),
    ],
)
def test_the_end_of_the_session_is_logged(text: str, sure: bool, operator: Operator) -> None:
    operator.write(A, text)
    error = fail(operator)
    version, run = read_failures(operator.database)
    assert (version[0], run[0]) == (A, "")
    assert version[2] == run[2] == error.message[:20]
    assert operator.read_status().rows[0].failed
    assert read_unsure(operator) is not sure


def test_a_limit_that_ends_the_session_does_not_count_as_a_refusal(operator: Operator) -> None:
    sleep = "PERFORM set_config('transaction_timeout', '50ms', false); PERFORM pg_sleep(5);"
    text = f"-- migrate: no-transaction\n{TABLE}\nDO $$ BEGIN {sleep} END $$;"
    operator.write(A, text)
    error = fail(operator)
    assert error.sqlstate == "25P04"
    assert "transaction_timeout ended the session" in error.hint
    assert [row[1] for row in read_failures(operator.database)] == ["08006", "25P04"]
    assert read_unsure(operator)


DEFERRED = """CREATE TABLE d (id int);
CREATE TABLE e (id int);
CREATE FUNCTION defer() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO e VALUES (1); RETURN NULL; END $$;
CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER defers AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION defer();
CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON e DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_session();
"""
"""A row in `d` ends the session in the COMMIT itself: the checks before the record defer the last one again."""


@pytest.mark.parametrize("more", ["", "\nVACUUM d;"])
def test_the_loss_of_the_session_during_the_commit_leaves_the_outcome_open(more: str, operator: Operator) -> None:
    operator.write(A, f"{DEFERRED} INSERT INTO d VALUES (1);{more}")
    error = fail(operator)
    assert f"It is not known whether {A} was committed; the next run checks that." in error.state
    assert [row[0] for row in read_failures(operator.database)] == ([""] if more else [A, ""])
    assert operator.read_applied() == []


def test_the_loss_of_the_session_during_the_commit_of_a_rollback_leaves_the_outcome_open(operator: Operator) -> None:
    operator.write(A, DEFERRED, "INSERT INTO d VALUES (1);")
    operator.migrate()
    _, error = collect_failure(rollback(operator.make_runner(), RollbackGoal(1, "")))
    assert "It is not known whether the rollback of" in error.state
    assert operator.read_applied() == [A]


@pytest.mark.parametrize("victims", [("migrate-lock %",), ("migrate-run %", "migrate-lock %")])
def test_nothing_is_logged_once_the_lock_is_lost(victims: tuple[str, ...], operator: Operator) -> None:
    operator.write(A, f"{TABLE}\n{INDEX}\nSELECT 1;")
    before: list[object] = []
    expected = "SELECT value FROM schema_migrations_meta WHERE key = 'schema'"

    def run() -> None:
        for event in migrate(operator.make_runner(watch_drift=True), MigrateGoal()):
            if isinstance(event, StatementStarted) and event.text == "SELECT 1":
                for victim in victims:
                    end_session(operator.database, victim)
                before.append((operator.read_log(), operator.database.query(expected)))

    with pytest.raises(RunnerError, match="terminating connection"):
        run()
    assert before == [(operator.read_log(), operator.database.query(expected))]


def test_the_next_run_resumes_after_a_failure_under_another_role(operator: Operator) -> None:
    operator.write(A, f"{TABLE}\n{MAKE_ROLE}\nSET ROLE {ROLE};\n{INDEX}\nSELECT 1/0;")
    try:
        fail(operator)
        operator.write(A, f"{TABLE}\n{MAKE_ROLE}\nSET ROLE {ROLE};\n{INDEX}\nSELECT 1;")
        events = operator.migrate()
        assert [event.text for event in pick(events, StatementStarted)] == ["SELECT 1"]
        assert not pick(events, NoticeRaised)
        assert operator.read_states() == {A: "applied"}
    finally:
        operator.database.execute(f"DROP OWNED BY {ROLE} CASCADE; DROP ROLE {ROLE}")


def test_a_failed_file_leaves_nothing_to_the_end_of_the_run(operator: Operator) -> None:
    operator.write(A, f"{TABLE}\nVACUUM a;\nSET default_transaction_read_only = on;\nVACUUM a;\nSELECT 1/0;")
    collect_failure(migrate(operator.make_runner(watch_drift=True), MigrateGoal()))
    ((value,),) = operator.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'schema'")
    assert ":settled:" in value
    assert B not in operator.read_states()


@pytest.mark.parametrize("failing", [INDEX, "BEGIN;\nCREATE TABLE b ();\nCREATE TABLE c ();\nCOMMIT;"])
def test_the_hint_against_a_committed_read_only_mode_can_be_followed(failing: str, operator: Operator) -> None:
    lines = [TABLE, "VACUUM a;", "SET default_transaction_read_only = on;", *failing.splitlines()]
    operator.write(A, "\n".join(lines))
    place = re.search(r"insert above line (\d+):\n(.+)", fail(operator).hint)
    assert place
    lines.insert(int(place[1]) - 1, place[2])
    operator.write(A, "\n".join(lines))
    operator.migrate()
    assert operator.read_states() == {A: "applied"}
