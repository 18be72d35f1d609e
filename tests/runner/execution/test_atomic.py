"""Atomic runs: all pending files and their rows in one transaction, or nothing."""

from collections.abc import Iterator

import pytest

from tasks.runner.errors import RefusedError, RunInterruptedError, RunnerError, StatementError
from tasks.runner.events import Event, PlanMade, Retried, StepFailed, StepFinished, StepStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick

ATOMIC = MigrateGoal(atomic=True)


def read_transactions(operator: Operator) -> set[str]:
    """Return the ids of the transactions that wrote the rows of the ledger, its texts and the finished attempts."""
    return {
        row[0]
        for row in operator.database.query(
            "SELECT xmin::text FROM schema_migrations UNION SELECT xmin::text FROM schema_migrations_scripts"
            " UNION SELECT xmin::text FROM schema_migrations_log WHERE version IS NOT NULL"
        )
    }


def test_all_files_and_their_rows_are_in_one_transaction(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    any_operator.write(C, "BEGIN; CREATE TABLE c AS SELECT 1; COMMIT;")
    events = any_operator.migrate(atomic=True)
    assert list_done(events) == [A, B, C]
    assert any_operator.read_applied() == [A, B, C]
    assert len(read_transactions(any_operator)) == 1
    assert any_operator.migrate(atomic=True)[-1].kind == "run_finished"


def test_a_step_is_reported_as_finished_only_after_the_commit(operator: Operator) -> None:
    operator.write_tables(A, B)
    events = migrate(operator.make_runner(), ATOMIC)
    applied_when_finished = [operator.read_applied() for event in events if isinstance(event, StepFinished)]
    assert applied_when_finished == [[A, B], [A, B]]


def test_a_failure_rolls_back_all_files(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    any_operator.write(C, "CREATE TABLE c ();\nSELECT 1 / 0;")
    events, error = collect_failure(migrate(any_operator.make_runner(), ATOMIC))
    assert isinstance(error, StatementError)
    assert error.place is not None
    assert (error.place.file.endswith(f"{C}.sql"), error.place.line) == (True, 2)
    assert error.state == "All 3 migrations of this run were rolled back: nothing was changed."
    assert pick(events, StepFinished) == []
    assert [event.version for event in pick(events, StepFailed)] == [C]
    assert (any_operator.read_tables(), any_operator.read_applied()) == ([], [])
    assert any_operator.read_states() == {A: "pending", B: "pending", C: "failed"}


OBSTACLES = {
    "concurrently": ("CREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY b_id ON b (id);", 2, "CREATE INDEX CONCURRENTLY"),
    "vacuum": ("VACUUM;", 1, "VACUUM"),
    "own commit": ("BEGIN;\nCREATE TABLE b ();\nCOMMIT;\nBEGIN;\nCREATE TABLE d ();\nCOMMIT;", 5, "CREATE TABLE d"),
    "directive": ("-- migrate: no-transaction\nCREATE TABLE b ();", 2, "no-transaction"),
    "isolation level": ("BEGIN ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE b ();\nCOMMIT;", 2, "ISOLATION LEVEL"),
    "set transaction": ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE b ();", 1, "SET TRANSACTION"),
    "commit in a block": ("CREATE TABLE b ();\nDO $$ BEGIN COMMIT; END $$;", 2, "DO $$"),
}


@pytest.mark.parametrize(("text", "line", "named"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_what_cannot_be_in_one_transaction_is_refused_with_its_place(
    operator: Operator, text: str, line: int, named: str
) -> None:
    operator.write_tables(A)
    operator.write(B, text)
    for dry_run in (True, False):
        with pytest.raises(RefusedError) as refused:
            operator.migrate(atomic=True, dry_run=dry_run)
        assert f"{B}.sql:{line}: " in refused.value.message
        assert named in refused.value.message
        assert "without --atomic" in refused.value.hint
    assert operator.database.query("SELECT to_regclass('a')::text, to_regclass('schema_migrations')::text") == [(None, None)]


RUNTIME = {
    "value of an enum": ("CREATE TYPE e AS ENUM ('x');", "ALTER TYPE e ADD VALUE 'y';", "SELECT 1;\nSELECT 'y'::e;", "y"),
    "not known from the text": (
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;",
        "CREATE TABLE b ();",
        "SELECT 1;\nCALL p();",
        "CALL",
    ),
}


@pytest.mark.parametrize(("first", "second", "third", "_named"), RUNTIME.values(), ids=RUNTIME.keys())
def test_what_only_the_server_refuses_is_rolled_back_and_refused(
    any_operator: Operator, first: str, second: str, third: str, _named: str
) -> None:
    any_operator.write(A, first)
    any_operator.migrate()
    any_operator.write(B, second)
    any_operator.write(C, third)
    with pytest.raises(RefusedError) as refused:
        any_operator.migrate(atomic=True)
    assert refused.value.place is not None
    assert (refused.value.place.file.endswith(f"{C}.sql"), refused.value.place.line) == (True, 2)
    assert "without --atomic" in refused.value.hint
    assert any_operator.read_applied() == [A]
    assert list_done(any_operator.migrate()) == [B, C]


def test_a_file_after_which_a_new_session_is_needed_is_refused(operator: Operator) -> None:
    operator.write(A, f"SELECT 1;\nALTER DATABASE {operator.database.name} SET search_path = app, public;")
    operator.write_tables(B)
    with pytest.raises(RefusedError, match="settings with which sessions start") as refused:
        operator.migrate(atomic=True)
    assert refused.value.place is not None
    assert refused.value.place.line == 2
    assert operator.read_applied() == []
    assert list_done(operator.migrate(atomic=True, to=A)) == [A]


def test_a_file_of_which_a_part_is_committed_is_refused(operator: Operator) -> None:
    operator.write(A, "BEGIN; CREATE TABLE a (); COMMIT;\nBEGIN; SELECT 1 / 0; COMMIT;")
    with pytest.raises(RunnerError):
        operator.migrate()
    with pytest.raises(RefusedError, match="1 of its 2 segments are already committed"):
        operator.migrate(atomic=True)


SETTINGS = """SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS statement,
       current_setting('lock_timeout') AS lock, current_setting('row_security') AS rows, current_user::text AS role"""


def test_each_file_begins_with_the_settings_of_a_run_of_its_own(any_operator: Operator) -> None:
    any_operator.write(A, "CREATE SCHEMA app; SET search_path = app; SET statement_timeout = '1h'; CREATE TEMP TABLE t ();")
    any_operator.write(B, f"CREATE TABLE b AS {SETTINGS}; CREATE TEMP TABLE t ();")
    any_operator.migrate(atomic=True)
    any_operator.write(C, f"CREATE TABLE c AS {SETTINGS};")
    any_operator.migrate()
    assert any_operator.database.query("TABLE public.b") == any_operator.database.query("TABLE public.c")


CONSTRAINTS = {
    "deferred, and kept at the end": ("INSERT INTO d VALUES (2, 2);\nINSERT INTO a VALUES (2);", ""),
    "deferred, and violated at the end": ("INSERT INTO d VALUES (2, 2);", "foreign key"),
    "not deferred": ("INSERT INTO d VALUES (1, 1);\nDELETE FROM d;", "unique constraint"),
}


@pytest.mark.parametrize(("text", "error"), CONSTRAINTS.values(), ids=CONSTRAINTS.keys())
def test_each_file_begins_with_the_constraints_as_they_were_declared(operator: Operator, text: str, error: str) -> None:
    foreign = "id int REFERENCES a DEFERRABLE INITIALLY DEFERRED"
    operator.write(A, f"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE d ({foreign}, n int UNIQUE DEFERRABLE);")
    operator.write(B, "INSERT INTO d VALUES (1, 1); INSERT INTO a VALUES (1);")
    operator.write(C, text)
    if not error:
        assert list_done(operator.migrate(atomic=True)) == [A, B, C]
        return
    with pytest.raises(StatementError, match=error):
        operator.migrate(atomic=True)
    assert operator.read_tables() == []


def test_a_lock_that_is_not_available_repeats_all_files(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "CREATE TABLE b AS SELECT 1;")
    operator.write(C, "DROP TABLE a;")
    policy = RetryPolicy(lock_timeout_ms=50, attempts=1000)
    events: list[Event] = []
    with operator.database.connect(autocommit=False) as blocker:
        for event in migrate(operator.make_runner(policy=policy), ATOMIC):
            if isinstance(event, StepStarted) and event.version == C and not pick(events, Retried):
                blocker.execute("TABLE a")
            events.append(event)
            if isinstance(event, Retried):
                blocker.rollback()
    assert [event.version for event in pick(events, Retried)][:1] == [C]
    assert [event.version for event in pick(events, StepStarted)][:4] == [B, C, B, C]
    assert list_done(events) == [B, C]
    assert len(read_transactions(operator)) == 2


def test_a_killed_run_leaves_nothing(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.write(C, "SELECT pg_sleep(3600);")
    running = operator.project.start("--atomic")
    sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(3600)%%' AND pid <> pg_backend_pid()"
    wait_until(lambda: operator.database.query(f"{sleeps} AND datname = current_database()") == [(1,)])
    running.kill()
    operator.write(C, "CREATE TABLE c ();")
    assert operator.project.migrate("--atomic", check=0).stdout.count("Applied") == 3
    assert operator.read_applied() == [A, B, C]
    assert len(read_transactions(operator)) == 1


def test_a_stop_rolls_back_all_files(operator: Operator) -> None:
    operator.write_tables(A, B)

    def stop_at_b() -> Iterator[None]:
        runner = operator.make_runner()
        for event in migrate(runner, ATOMIC):
            if isinstance(event, StepStarted) and event.version == B:
                runner.stop.request("SIGTERM")
            yield None

    with pytest.raises(RunInterruptedError) as stopped:
        list(stop_at_b())
    assert stopped.value.state == "All 2 migrations of this run were rolled back: nothing was changed."
    assert operator.read_applied() == []


def test_the_plan_of_an_atomic_run_has_an_id_of_its_own(operator: Operator) -> None:
    operator.write_tables(A, B)
    (plan,), (atomic,) = (
        pick(operator.migrate(dry_run=True), PlanMade),
        pick(operator.migrate(dry_run=True, atomic=True), PlanMade),
    )
    assert atomic.atomic
    assert plan.plan_id != atomic.plan_id
    assert list_done(operator.migrate(atomic=True, plan=atomic.plan_id)) == [A, B]


@pytest.mark.parametrize("command", ["migrate", "inv"])
def test_the_flag_is_known_to_both_programs(operator: Operator, command: str) -> None:
    operator.write_tables(A, B)
    run, arguments = (operator.project.migrate, ()) if command == "migrate" else (operator.project.inv, ("db.migrate",))
    assert "2 migrations would be applied, all in one transaction" in run(*arguments, "--atomic", "--dry-run", check=0).stdout
    operator.write(C, "VACUUM;")
    assert f"{C}.sql:1: VACUUM runs outside a transaction" in run(*arguments, "--atomic", check=3).stderr
    run(*arguments, "--atomic", "--to", B, check=0)
    assert len(read_transactions(operator)) == 1
