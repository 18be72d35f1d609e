"""Files of different kinds after each other: what one of them is, or does to the session, changes nothing for the next one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.runner.events import Event, HeldBack, Retried, StatementStarted, StepStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.operations.redo import redo
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick
from tests.stress.blocking import await_waiting

DEALLOCATES = "CREATE FUNCTION deallocate() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DEALLOCATE ALL; RETURN 1; END $$;"
KINDS = {
    "plain": "INSERT INTO trace VALUES ('plain');\nSELECT 1;",
    "own_row": "BEGIN;\nINSERT INTO trace VALUES ('own_row');\n"
    "INSERT INTO schema_migrations (version) VALUES ('{version}');\nCOMMIT;",
    "segments": "INSERT INTO trace VALUES ('segments');\nVACUUM trace;\nSELECT 2;",
    "divided": "DO $$ BEGIN COMMIT; END $$;\nINSERT INTO trace VALUES ('divided');",
    "copy": "COPY trace (step) FROM stdin;\ncopy\n\\.\n",
    "large": "INSERT INTO trace VALUES ('large');\nSELECT '" + "x" * 1_200_000 + "';",
    "texts": "INSERT INTO trace VALUES ('texts');\nSELECT '" + "x" * 300_000 + "';",
    "empty": "-- nothing\n",
    "locks": "ALTER TABLE trace ADD COLUMN IF NOT EXISTS n int;\nINSERT INTO trace VALUES ('locks');",
    "defaults": "ALTER DATABASE {database} SET work_mem = '5MB';\nINSERT INTO trace VALUES ('defaults');",
    "deallocates": "PREPARE p AS SELECT 1;\nDEALLOCATE ALL;\nINSERT INTO trace VALUES ('deallocates');",
    "hidden": "INSERT INTO trace SELECT 'hidden' FROM deallocate();",
    "hidden_copy": "INSERT INTO trace SELECT 'hidden_copy' FROM deallocate();\nCOPY trace (step) FROM stdin;\n\\.\n",
}


def list_neighbours(kinds: list[str]) -> list[str]:
    """Return a sequence in which each kind comes right after each other kind once."""
    following = {kind: [other for other in kinds if other != kind] for kind in kinds}
    path, found = [kinds[0]], []
    while path:
        if following[path[-1]]:
            path.append(following[path[-1]].pop())
        else:
            found.append(path.pop())
    return found[::-1]


def test_each_kind_of_file_runs_after_each_other(operator: Operator) -> None:
    operator.database.execute(f"CREATE TABLE trace (step text); {DEALLOCATES}")
    expected, counts = [], dict.fromkeys(KINDS, 0)
    for number, kind in enumerate(list_neighbours(list(KINDS))):
        version = f"20250101{number // 60:04}{number % 60:02}_{kind}"
        counts[kind] += 1
        operator.write(version, KINDS[kind].replace("{version}", version).replace("{database}", operator.database.name))
        expected.append((version, "finished"))
    events = operator.migrate()
    assert [(event.version, "finished") for event in pick(events, StepStarted)] == expected
    assert list_done(events) == [version for version, _ in expected]
    assert operator.read_applied() == [version for version, _ in expected]
    log = "SELECT version, outcome FROM schema_migrations_log WHERE version IS NOT NULL AND outcome = 'finished' ORDER BY id"
    assert operator.database.query(log) == expected
    found = operator.database.query("SELECT step, count(*)::int FROM trace GROUP BY 1 ORDER BY 1")
    assert dict(found) == {kind: count for kind, count in counts.items() if kind != "empty"}


def test_seeds_rollbacks_and_redo_of_several_files_do_what_one_by_one_does(any_operator: Operator) -> None:
    operator, database = any_operator, any_operator.database
    for version in (A, B, C):
        name = version[-1]
        log = f"INSERT INTO trace VALUES ('{{}}{name}');\n"
        own_row = f"DELETE FROM schema_migrations WHERE version = '{version}';"
        down = f"{log.format('-')}DROP TABLE {name};\n{own_row}"
        operator.write(version, f"CREATE TABLE {name} (id int);\n{log.format('+')}", down)
        operator.project.write_seed(f"{ord(name):03}_{name}", f"INSERT INTO {name} VALUES (1);\n{log.format('s')}")
    database.execute("CREATE TABLE trace (step text)")
    operator.migrate()
    assert len(list_done(operator.seed())) == 3
    assert list_done(redo(operator.make_runner())) == [C, C]
    assert list_done(operator.roll_back(steps=3)) == [C, B, A]
    assert [step for (step,) in database.query("SELECT step FROM trace ORDER BY ctid")] == [
        *("+a", "+b", "+c", "sa", "sb", "sc"),
        *("-c", "+c"),
        *("-c", "-b", "-a"),
    ]
    assert operator.read_applied() == []
    assert operator.read_tables() == ["trace"]
    assert database.query("SELECT count(*) FROM schema_migrations_scripts") == [(0,)]
    assert database.query("SELECT name FROM schema_migrations_seeds ORDER BY 1") == [("097_a",), ("098_b",), ("099_c",)]


def test_a_file_that_needs_a_lock_unexpectedly_is_repeated_alone(operator: Operator) -> None:
    database = operator.database
    database.execute(
        "CREATE TABLE t (n int); CREATE TABLE trace (step text);"
        "CREATE FUNCTION take() RETURNS int LANGUAGE plpgsql AS $$ BEGIN LOCK TABLE t; RETURN 1; END $$"
    )
    operator.write(A, "INSERT INTO trace VALUES ('a');")
    operator.write(B, "INSERT INTO trace VALUES ('b');\nSELECT take();\nINSERT INTO trace VALUES ('after');")
    operator.write(C, "INSERT INTO trace VALUES ('c');")
    events: list[Event] = []
    with database.connect() as blocker:
        pid = blocker.info.backend_pid
        blocker.execute("BEGIN; TABLE t")
        for event in migrate(operator.make_runner(policy=RetryPolicy(lock_timeout_ms=500, attempts=1000)), MigrateGoal()):
            events.append(event)
            # Only a look shows who blocks it, and one may come too late.
            if isinstance(event, Retried | HeldBack) and event.blockers:
                assert [session.pid for session in event.blockers] == [pid]
                assert database.query("TABLE trace") == [("a",)]
                blocker.rollback()
    retried = pick(events, Retried)
    assert {(event.version, event.line) for event in retried} == {(B, 2)}
    numbers = [event.number for event in pick(events, StatementStarted) if event.version == B]
    assert numbers == [*([1, 2] * len(retried)), 1, 2, 3]
    assert list_done(events) == [A, B, C]
    assert database.query("TABLE trace") == [("a",), ("b",), ("after",), ("c",)]


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_record_that_waits_for_the_ledger_can_be_ended(function: str, operator: Operator) -> None:
    database = operator.database
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "CREATE TABLE b (id int);\nSELECT 1;")
    operator.write(C, "CREATE TABLE c (id int);\nSELECT 1;")
    with database.connect() as other, ThreadPoolExecutor(1) as executor:
        other.execute("BEGIN; LOCK TABLE schema_migrations IN SHARE MODE")
        runner = operator.make_runner(policy=RetryPolicy(lock_timeout_ms=60_000, attempts=1))
        running = executor.submit(collect_failure, migrate(runner, MigrateGoal()))
        pid = await_waiting(database, "%schema_migrations%")
        other.execute(f"SELECT {function}(%s)", [pid])
        events, error = running.result()
        other.rollback()
    assert error.state == f"{B} was rolled back completely."
    assert operator.read_applied() == [A]
    assert operator.read_tables() == ["a"]
    assert [event.version for event in pick(events, StepStarted)] == [B]
    assert list_done(operator.migrate()) == [B, C]
