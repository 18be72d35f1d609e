"""Files that change the settings with which sessions start: the files after them run as in a run of their own."""

import pytest
from psycopg import sql

from tasks.runner.errors import ConnectError
from tasks.runner.events import NoticeRaised
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, C, Operator, pick

CHANGES = {
    "database": "ALTER DATABASE {database} SET search_path = app;",
    "role in database": "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE {database} SET search_path = app', session_user);"
    " END $$;",
    "all roles": "ALTER ROLE ALL IN DATABASE {database} SET search_path = app;",
    "function": """CREATE FUNCTION change() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN EXECUTE 'ALTER DATABASE {database} SET search_path = app'; END $$;
SELECT change();""",
    "several transactions": "ALTER DATABASE {database} SET search_path = app;\nVACUUM public.first;",
    "own row": "ALTER DATABASE {database} SET search_path = app; INSERT INTO schema_migrations (version) VALUES ('{version}');",
}


def allow_connections(operator: Operator, value: str) -> None:
    text = f"ALTER DATABASE {{}} ALLOW_CONNECTIONS {value}"
    operator.database.server.administer(sql.SQL(text).format(sql.Identifier(operator.database.name)))


def read_places(operator: Operator) -> list[tuple[str, str]]:
    query = """SELECT relname::text, relnamespace::regnamespace::text FROM pg_class
                WHERE relname IN ('second', 'schema_migrations') ORDER BY 1"""
    return operator.database.query(query)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_next_file_starts_with_the_new_settings(change: str, any_operator: Operator) -> None:
    any_operator.write(A, "CREATE SCHEMA app; CREATE TABLE first ();")
    any_operator.write(B, change.format(database=any_operator.database.name, version=B))
    any_operator.write(C, "CREATE TABLE second (); DO $$ BEGIN RAISE NOTICE 'heard'; END $$;")
    events = any_operator.migrate()
    assert read_places(any_operator) == [("schema_migrations", "public"), ("second", "app")]
    applied = "SELECT version FROM public.schema_migrations ORDER BY 1"
    assert any_operator.database.query(applied) == [(A,), (B,), (C,)]
    assert "heard" in [event.message for event in pick(events, NoticeRaised)]


def test_the_next_rollback_starts_with_the_new_settings(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();", "CREATE TABLE second ();")
    operator.write(B, "CREATE SCHEMA app;", CHANGES["database"].format(database=operator.database.name))
    operator.migrate()
    operator.roll_back(steps=2)
    assert read_places(operator) == [("schema_migrations", "public"), ("second", "app")]


def test_without_a_change_all_files_run_in_one_session(operator: Operator) -> None:
    for version, table in ((A, "a"), (B, "b"), (C, "c")):
        operator.write(version, f"CREATE TABLE {table} AS SELECT pg_backend_pid();")
    operator.migrate()
    assert operator.database.query("SELECT count(*) FROM (TABLE a UNION TABLE b UNION TABLE c) pids") == [(1,)]


def test_when_no_new_session_can_be_opened_the_finished_files_stay(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();")
    operator.write(B, f"ALTER DATABASE {operator.database.name} SET work_mem = '8MB';")
    operator.write(C, "CREATE TABLE c ();")
    runner = operator.make_runner()

    def run() -> list[object]:
        events: list[object] = []
        for event in migrate(runner, MigrateGoal()):
            events.append(event)
            if event.kind == "step_finished" and getattr(event, "version", "") == B:
                allow_connections(operator, "false")
        return events

    with pytest.raises(ConnectError) as failed:
        run()
    allow_connections(operator, "true")
    assert failed.value.state == f"2 earlier migrations of this run stay applied; {C} was not started."
    assert operator.read_applied() == [A, B]
