"""Settings of roles, databases and poolers: what they change for the files, and that they change nothing for our own SQL."""

import itertools
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.runner import MigrationRunner
from tasks.runner.events import HeldBack
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.planning.plan import Plan, plan
from tasks.runner.retries import RetryPolicy
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done

LIMITS = ("idle_in_transaction_session_timeout", "transaction_timeout")
SEEN = "SELECT name, setting FROM pg_settings WHERE name IN ('row_security', 'search_path', 'statement_timeout') ORDER BY 1"
LIMIT, LONGER = "'1s'", "SELECT pg_sleep(1.2);"
"""A limit that ends no session which is about to be opened, on a slow machine too, and a statement that takes longer."""
_numbers = itertools.count(1)


def set_default(database: Database, **settings: str) -> None:
    """Set defaults for every new session of the database."""
    for name, value in settings.items():
        database.execute(sql.SQL(f"ALTER DATABASE {{}} SET {name} = {value}").format(sql.Identifier(database.name)).as_string())


def make_runner_at(operator: Operator, url: str) -> MigrationRunner:
    """Return a runner that uses another URL of the operator's database."""
    runner = operator.make_runner()
    runner.url = url
    return runner


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """Yield a role that may use what exists in the schema public."""
    name = f"role_{os.getpid()}_{next(_numbers)}"
    database.execute(f"CREATE ROLE {name} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    yield name
    database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_the_limits_of_an_application_end_no_session_of_a_run(way: str, operator: Operator, pgbouncer: Pooler) -> None:
    set_default(operator.database, **dict.fromkeys(LIMITS, LIMIT))
    if way == "direct":
        set_default(operator.database, idle_session_timeout=LIMIT)
    pgbouncer.reconnect()
    operator.write(A, f"CREATE TABLE a (id int); {LONGER}")
    operator.write(B, f"CREATE TABLE b ();\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n{LONGER}")
    runner = make_runner_at(operator, pgbouncer.url if way == "pooled" else operator.database.url)
    assert list_done(migrate(runner, MigrateGoal())) == [A, B]


def test_a_run_that_is_held_back_outlasts_idle_session_timeout(operator: Operator) -> None:
    set_default(operator.database, idle_session_timeout=LIMIT)
    operator.database.execute("CREATE TABLE a ()")
    operator.write(A, "ALTER TABLE a ADD n int;")
    with operator.database.connect(options="-cidle_session_timeout=0") as blocker:
        blocker.execute("BEGIN; LOCK TABLE a")
        done = []
        for event in migrate(operator.make_runner(policy=RetryPolicy(50, 10)), MigrateGoal()):
            if isinstance(event, HeldBack):
                blocker.execute(LONGER)
                blocker.rollback()
            done.append(event)
    assert list_done(done) == [A]


@pytest.mark.parametrize("before", ["", "CREATE TABLE other ();\nVACUUM other;\n"])
def test_a_file_runs_with_the_settings_of_its_role_and_database(any_operator: Operator, before: str) -> None:
    set_default(any_operator.database, statement_timeout="'40s'", search_path="missing, public")
    any_operator.write(A, f"{before}CREATE TABLE a AS {SEEN};")
    any_operator.write(B, f"CREATE TABLE b AS {SEEN};")
    any_operator.migrate()
    expected = [("row_security", "on"), ("search_path", "missing, public"), ("statement_timeout", "40000")]
    assert any_operator.database.query("TABLE a") == expected
    assert any_operator.database.query("TABLE b") == expected


def test_a_setting_of_a_file_applies_to_its_later_segments_only(any_operator: Operator) -> None:
    set_default(any_operator.database, statement_timeout="'40s'")
    any_operator.write(A, f"SET statement_timeout = '20s'; CREATE TABLE a ();\nVACUUM a;\nCREATE TABLE seen AS {SEEN};")
    any_operator.write(B, f"INSERT INTO seen {SEEN};")
    any_operator.migrate()
    query = "SELECT setting FROM seen WHERE name = 'statement_timeout' ORDER BY ctid"
    assert any_operator.database.query(query) == [("20000",), ("40000",)]


@pytest.mark.parametrize("statement", ["DEALLOCATE ALL;", "-- migrate: no-transaction\nDISCARD ALL;"])
def test_a_file_may_drop_all_prepared_statements(operator: Operator, statement: str) -> None:
    indexes = "\n".join(f"CREATE INDEX CONCURRENTLY a_{number} ON a (n{number});" for number in range(7))
    columns = ", ".join(f"n{number} int" for number in range(7))
    operator.write(A, f"CREATE TABLE a ({columns});\n{indexes}")
    operator.write(B, statement)
    operator.write(C, "CREATE INDEX CONCURRENTLY a_n ON a (n1, n2);")
    assert list_done(operator.migrate()) == [A, B, C]


@pytest.mark.parametrize("pgbouncer", [4], indirect=True)
def test_no_statement_is_prepared_on_the_sessions_of_a_pooler(operator: Operator, pgbouncer: Pooler) -> None:
    operator.write(A, "\n".join(("CREATE TABLE a (id int);", *(f"CREATE INDEX CONCURRENTLY a_{n} ON a (id);" for n in range(8)))))
    runner = make_runner_at(operator, pgbouncer.url)
    with psycopg.connect(pgbouncer.url, autocommit=True, prepare_threshold=None) as other:
        for _ in migrate(runner, MigrateGoal()):
            other.execute("SELECT 1")
    assert operator.read_applied() == [A]


def test_a_concurrent_index_does_not_wait_for_the_session_with_the_lock(operator: Operator) -> None:
    for number in range(1, 8):
        operator.write(A.replace("_a", f"_{number}").replace("0000_", f"000{number}_"), "SELECT pg_sleep(0.11);")
    operator.write(B, "CREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY b_id ON b (id);")
    assert list_done(operator.migrate())[-1] == B


def test_row_level_security_on_the_ledger_is_an_error_and_no_empty_ledger(operator: Operator, role: str) -> None:
    operator.write(A, "CREATE TABLE counters (n int); INSERT INTO counters VALUES (1);")
    operator.migrate()
    tables = operator.database.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        operator.database.execute(f"GRANT ALL ON {table} TO {role}")
    operator.database.execute("ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY")
    _, error = collect_failure(migrate(make_runner_at(operator, make_conninfo(operator.database.url, user=role)), MigrateGoal()))
    assert error.message.startswith("the row-level security policies on schema_migrations apply to this role")
    assert "ALTER TABLE schema_migrations DISABLE ROW LEVEL SECURITY;" in error.hint
    assert error.sqlstate == "42501"
    assert operator.database.query("TABLE counters") == [(1,)]


def test_a_file_sees_the_policies_of_its_role(operator: Operator, role: str) -> None:
    operator.database.execute("CREATE TABLE a (n int); INSERT INTO a VALUES (1); ALTER TABLE a ENABLE ROW LEVEL SECURITY")
    operator.database.execute(f"GRANT ALL ON a TO {role}")
    operator.write(A, "CREATE TABLE b AS TABLE a;")
    runner = make_runner_at(operator, make_conninfo(operator.database.url, user=role))
    assert list_done(migrate(runner, MigrateGoal())) == [A]
    assert operator.database.query("TABLE b") == []


def test_a_role_that_may_not_read_the_defaults_of_sessions_runs_its_files(operator: Operator, role: str) -> None:
    operator.database.execute("REVOKE SELECT ON pg_catalog.pg_db_role_setting FROM PUBLIC")
    operator.write_tables(A, B)
    runner = make_runner_at(operator, make_conninfo(operator.database.url, user=role))
    assert list_done(migrate(runner, MigrateGoal())) == [A, B]


def test_no_transaction_is_open_while_files_are_parsed(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A)
    runner = operator.make_runner()
    idle = "SELECT FROM pg_stat_activity WHERE application_name = %s AND state = 'idle' AND query = 'ROLLBACK'"
    name = f"migrate-read {runner.identity.run_id}"

    def parse(*arguments: Any) -> Plan:
        wait_until(lambda: operator.database.query(idle, name), what="the end of the transaction before the files are parsed")
        return plan(*arguments)

    monkeypatch.setattr("tasks.runner.execution.preparation.plan", parse)
    assert len(runner.prepare(MigrateGoal()).plan.steps) == 1
