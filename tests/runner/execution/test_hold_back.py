"""A transaction is held back while a long one has its locks, so that the application does not queue behind it."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tasks.runner.errors import RunInterruptedError, StatementError
from tasks.runner.events import Event, HeldBack, Retried, StatementStarted, StepStarted, Waiting
from tasks.runner.execution import hold_back
from tasks.runner.operations.migrate import migrate, rollback
from tasks.runner.operations.redo import redo
from tasks.runner.operations.seed import seed
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tasks.runner.retries import RetryPolicy
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
from tests.kit.roles import MakeRole, use_as
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick

LOCK_TIMEOUT_MS = 300
PATIENT = RetryPolicy(lock_timeout_ms=LOCK_TIMEOUT_MS, attempts=5)
IN_A_HURRY = RetryPolicy(lock_timeout_ms=LOCK_TIMEOUT_MS, attempts=5, patience_ms=400)
GRACE = "SELECT pg_sleep(0.4)"
"""Makes a transaction older than the lock_timeout."""
QUEUES = """
SELECT count(*) FROM pg_locks
 WHERE NOT granted AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
BUILDS = "SELECT phase FROM pg_stat_progress_create_index WHERE datname = current_database()"
Operation = Callable[[Operator, RetryPolicy], Iterator[Event]]


def go_up(operator: Operator, policy: RetryPolicy, **options: Any) -> Iterator[Event]:
    """Migrate to the newest migration."""
    return migrate(operator.make_runner(policy=policy, **options), MigrateGoal())


def go_up_at_once(operator: Operator, policy: RetryPolicy) -> Iterator[Event]:
    """Migrate in one transaction."""
    return migrate(operator.make_runner(policy=policy), MigrateGoal(atomic=True))


def go_down(operator: Operator, policy: RetryPolicy) -> Iterator[Event]:
    """Roll back the newest migration."""
    return rollback(operator.make_runner(policy=policy), RollbackGoal())


def go_down_and_up(operator: Operator, policy: RetryPolicy) -> Iterator[Event]:
    """Redo the newest migration."""
    return redo(operator.make_runner(policy=policy))


def check_nobody_waits(database: Database, table: str = "a") -> None:
    """Raise an error if a session waits for a lock, or if a reader of the table would."""
    assert database.query(QUEUES) == [(0,)]
    with database.connect() as reader:
        reader.execute("SET lock_timeout = '10s'")
        reader.execute(f"TABLE {table}")


def open_transaction(connection: psycopg.Connection[Any], statement: str = "TABLE a") -> None:
    """Open a transaction that is older than the lock_timeout, and has a lock."""
    connection.execute(f"BEGIN; {statement}")
    connection.execute(GRACE)


def run_behind(
    database: Database, blocker: psycopg.Connection[Any], events: Iterator[Event], *, late: bool = True
) -> list[Event]:
    """Run while a session has a lock on the table a, until the run is held back and no session waits; return the events.

    If it is `late`, it gets the lock when the first statement starts.
    """
    seen: list[Event] = []
    for event in events:
        if late and isinstance(event, StatementStarted) and not pick(seen, StatementStarted):
            blocker.execute("BEGIN; TABLE a")
        seen.append(event)
        if isinstance(event, HeldBack):
            check_nobody_waits(database)
            blocker.rollback()
    return seen


def count_tries(events: list[Event]) -> int:
    """Return how often the first statement was started."""
    return len([event for event in pick(events, StatementStarted) if event.number == 1])


@pytest.fixture
def busy(any_operator: Operator) -> Operator:
    """Return an operator whose table a exists, with a migration that changes it, and one that does so in its down file."""
    any_operator.write(A, "CREATE TABLE a (id int);", "DROP TABLE a;")
    any_operator.write(B, "SELECT 1;", "ALTER TABLE a ADD n int;")
    any_operator.migrate()
    any_operator.write(C, "ALTER TABLE a ADD m int;", "SELECT 1;")
    return any_operator


def test_behind_a_long_transaction_the_application_is_stalled_only_once(busy: Operator) -> None:
    with busy.database.connect() as blocker:
        pid = blocker.info.backend_pid
        events = run_behind(busy.database, blocker, go_up(busy, PATIENT))
    ((retried),) = pick(events, Retried)
    assert (retried.holds_back, retried.pause_s) == (True, 0.0)
    assert [session.pid for session in retried.blockers] == [pid]
    assert count_tries(events) == 2
    assert list_done(events) == [C]


@pytest.mark.parametrize("operate", [go_up, go_up_at_once, go_down, go_down_and_up])
def test_a_blocker_that_is_known_beforehand_stalls_nobody(operator: Operator, operate: Operation) -> None:
    operator.write(A, "CREATE TABLE a (id int);", "DROP TABLE a;")
    operator.migrate()
    operator.write(B, "CREATE TABLE b ();\nALTER TABLE a ADD n int;", "ALTER TABLE a DROP n;\nDROP TABLE b;")
    if operate in (go_down, go_down_and_up):
        operator.migrate()
    events: list[Event] = []
    with operator.database.connect(application_name="a report") as blocker:
        pid = blocker.info.backend_pid
        open_transaction(blocker)
        for event in operate(operator, PATIENT):
            events.append(event)
            if isinstance(event, HeldBack) and blocker.info.transaction_status:
                check_nobody_waits(operator.database)
                blocker.rollback()
    held, *_ = pick(events, HeldBack)
    assert (held.version, held.relations) == (B, ("public.a",))
    assert [(session.pid, session.application) for session in held.blockers] == [(pid, "a report")]
    assert pick(events, Retried) == []
    assert B in list_done(events)


def test_a_transaction_younger_than_the_lock_timeout_is_no_reason(busy: Operator) -> None:
    policy = RetryPolicy(lock_timeout_ms=20_000, attempts=1)
    events: list[Event] = []
    with busy.database.connect() as blocker:
        for event in go_up(busy, policy):
            if isinstance(event, StepStarted):
                blocker.execute("BEGIN; TABLE a")
            if isinstance(event, StatementStarted):
                blocker.rollback()
            events.append(event)
    assert pick(events, HeldBack) == []


def test_several_blockers_one_after_the_other_stall_the_application_only_once(
    busy: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_back, "_FIRST_REPORTS_S", 0.0)
    events: list[Event] = []
    with busy.database.connect() as first, busy.database.connect() as second:
        for event in go_up(busy, PATIENT):
            if isinstance(event, StatementStarted) and not pick(events, StatementStarted):
                first.execute("BEGIN; TABLE a")
            events.append(event)
            if isinstance(event, HeldBack):
                check_nobody_waits(busy.database)
                if len(pick(events, HeldBack)) == 1:
                    open_transaction(second)
                    first.rollback()
                else:
                    second.rollback()
        pids = [connection.info.backend_pid for connection in (first, second)]
    assert [session.pid for event in pick(events, HeldBack) for session in event.blockers] == pids
    assert count_tries(events) == 2
    assert list_done(events) == [C]


def test_a_blocker_of_another_role_whose_age_is_hidden(busy: Operator, make_role: MakeRole) -> None:
    role = make_role("migrator", creates=True)
    busy.database.execute(f'ALTER TABLE a OWNER TO "{role}"')
    for (table,) in busy.database.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'schema_mig%%'"):
        busy.database.execute(f'ALTER TABLE {table} OWNER TO "{role}"')
    with busy.database.connect() as blocker:
        open_transaction(blocker)
        events = run_behind(
            busy.database,
            blocker,
            go_up(Operator(busy.project, busy.database, url=use_as(busy.database, role).url), PATIENT),
            late=False,
        )
    assert count_tries(events) == 2
    ((retried),) = pick(events, Retried)
    assert retried.holds_back
    assert list_done(events) == [C]


def test_a_prepared_transaction_is_waited_for(new_server: Callable[..., OwnServer], project: Project) -> None:
    server = new_server()
    server.start(max_prepared_transactions="2")
    database = Database(server, "postgres")
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD n int;")
    events: list[Event] = []
    for event in go_up(operator, PATIENT):
        if isinstance(event, StatementStarted) and not pick(events, StatementStarted):
            database.execute("BEGIN; LOCK TABLE a IN SHARE MODE; PREPARE TRANSACTION 'transfer'")
        events.append(event)
        if isinstance(event, HeldBack):
            check_nobody_waits(database)
            database.execute("ROLLBACK PREPARED 'transfer'")
    database.close()
    ((retried),) = pick(events, Retried)
    assert [(session.pid, session.application) for session in retried.blockers] == [(0, "prepared transaction transfer")]
    held, *_ = pick(events, HeldBack)
    assert held.blockers == retried.blockers
    assert list_done(events) == [B]


def test_in_two_transactions_a_statement_gets_what_an_earlier_one_of_its_own_left_of_the_lock_timeout(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int); CREATE VIEW limits AS SELECT current_setting('lock_timeout')::interval AS l;")
    operator.migrate()
    operator.write(
        B, "ALTER TABLE a ADD n int;\nCREATE TABLE seen AS TABLE limits;\nVACUUM a;\nCREATE TABLE later AS TABLE limits;"
    )
    with operator.database.connect() as blocker:
        blocker.execute("BEGIN; TABLE a")
        for event in go_up(operator, RetryPolicy(lock_timeout_ms=60_000, attempts=1)):
            # Only a wait that a look has seen counts.
            if isinstance(event, Waiting) and event.blockers:
                blocker.rollback()
    assert operator.database.query("SELECT l < '59s' AND l > '50ms' FROM seen") == [(True,)]
    assert operator.database.query("SELECT l = '60s' FROM later") == [(True,)]


def test_after_lock_patience_the_run_gives_up_and_names_who_has_the_locks(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "CREATE TABLE b ();\nALTER TABLE a ADD n int;")
    with operator.database.connect(application_name="a report") as blocker:
        open_transaction(blocker)
        events, error = collect_failure(go_up(operator, IN_A_HURRY))
        pid = blocker.info.backend_pid
        check_nobody_waits(operator.database)
    assert isinstance(error, StatementError)
    assert error.exit_code == 1
    assert f"pid {pid} in a transaction since" in error.message
    assert "AccessShareLock on public.a" in error.message
    assert "a report" in error.message
    assert error.place is not None
    assert error.place.line == 2
    assert "LOCK_PATIENCE" in error.hint
    assert error.state.startswith(f"{B} was rolled back completely")
    assert pick(events, StatementStarted) == []
    assert operator.read_log()[-2:] == [("migrate", "failed", B), ("migrate", "failed", "")]


def test_a_stop_ends_a_run_that_is_held_back(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD n int;")
    stop = Stop()
    held: list[Event] = []

    def run() -> Iterator[Event]:
        for event in go_up(operator, PATIENT, stop=stop):
            if isinstance(event, HeldBack):
                stop.request("SIGTERM")
                held.append(event)
            yield event

    with operator.database.connect() as blocker:
        open_transaction(blocker)
        _, error = collect_failure(run())
    assert isinstance(error, RunInterruptedError)
    assert len(held) == 1
    assert operator.read_applied() == [A]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_ended_while_it_is_held_back_leaves_nothing(operator: Operator, number: signal.Signals) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD n int;")
    with operator.database.connect() as blocker:
        open_transaction(blocker)
        running = operator.project.start(env={"LOCK_TIMEOUT": "100ms"})
        assert running.stdout is not None
        next(line for line in running.stdout if "held back" in line)
        running.send_signal(number)
        running.communicate()
    assert operator.read_applied() == [A]
    assert list_done(operator.migrate()) == [B]


def test_behind_a_pooler_it_is_held_back_too(operator: Operator, pgbouncer: Pooler) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD n int;")
    with operator.database.connect() as blocker:
        events = run_behind(
            operator.database, blocker, go_up(Operator(operator.project, operator.database, url=pgbouncer.url), PATIENT)
        )
    assert count_tries(events) == 2
    assert list_done(events) == [B]


@pytest.mark.parametrize("statement", ["VACUUM FULL a", "REINDEX TABLE a", "CLUSTER a USING a_id"])
def test_a_statement_outside_a_transaction_is_held_back(operator: Operator, statement: str) -> None:
    operator.write(A, "CREATE TABLE a (id int); CREATE INDEX a_id ON a (id);")
    operator.migrate()
    operator.write(B, f"-- migrate: no-transaction\n{statement};")
    with operator.database.connect() as blocker:
        open_transaction(blocker)
        events = run_behind(operator.database, blocker, go_up(operator, PATIENT), late=False)
    assert pick(events, Retried) == []
    assert len(pick(events, HeldBack)) == 1


def test_an_unseen_blocker_is_looked_for_after_the_timeout(operator: Operator) -> None:
    """A file whose own lock_timeout ends before the first look; and NOWAIT, which does not wait at all."""
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "SET lock_timeout = '10ms';\nALTER TABLE a ADD n int;\nLOCK TABLE a NOWAIT;")
    policy = RetryPolicy(lock_timeout_ms=20_000, attempts=3)
    with operator.database.connect() as blocker:
        events = run_behind(operator.database, blocker, go_up(operator, policy))
    assert [event.holds_back for event in pick(events, Retried)] == [True]
    assert list_done(events) == [B]


def test_what_the_file_makes_itself_is_no_reason(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "CREATE TEMP TABLE a (id int);\nALTER TABLE a ADD n int;")
    operator.write(C, "SET search_path = pg_temp;\nCREATE TEMP TABLE IF NOT EXISTS a (id int);\nALTER TABLE a ADD o int;")
    with operator.database.connect() as blocker:
        open_transaction(blocker)
        events = list(go_up(operator, IN_A_HURRY))
    assert pick(events, HeldBack) == []


def test_a_session_that_keeps_its_lock_from_one_transaction_to_the_next_still_blocks(operator: Operator) -> None:
    """CREATE INDEX CONCURRENTLY has several transactions, and a lock on its table for all of them."""
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD n int;")
    events: list[Event] = []
    with operator.database.connect() as old, operator.database.connect() as build:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        build.pgconn.send_query(b"CREATE INDEX CONCURRENTLY a_id ON a (id)")
        wait_until(lambda: operator.database.query(BUILDS) == [("waiting for old snapshots",)])
        for event in go_up(operator, PATIENT):
            events.append(event)
            if isinstance(event, HeldBack):
                old.rollback()
        while build.pgconn.get_result() is not None:
            pass
    assert list_done(events) == [B]


def test_a_file_has_the_lock_timeout_that_it_sets(operator: Operator) -> None:
    seen = "SELECT current_setting('lock_timeout')"
    operator.write(A, f"-- migrate: lock-timeout 1.5s\nCREATE TABLE a AS {seen};\nVACUUM a;\nINSERT INTO a {seen};")
    operator.write(B, f"CREATE TABLE b AS {seen};")
    operator.migrate(policy=PATIENT)
    assert operator.database.query("TABLE a") == [("1500ms",), ("1500ms",)]
    assert operator.database.query("TABLE b") == [(f"{LOCK_TIMEOUT_MS}ms",)]


def test_each_file_of_an_atomic_run_has_the_lock_timeout_that_it_sets(operator: Operator) -> None:
    seen = "SELECT current_setting('lock_timeout')"
    operator.write(A, f"-- migrate: lock-timeout 9s\nCREATE TABLE a AS {seen};")
    operator.write(B, f"CREATE TABLE b AS {seen};")
    operator.write(C, f"-- migrate: lock-timeout 500ms\nCREATE TABLE c AS {seen};")
    operator.migrate(policy=PATIENT, atomic=True)
    found = [operator.database.query(f"TABLE {table}") for table in "abc"]
    assert found == [[("9s",)], [(f"{LOCK_TIMEOUT_MS}ms",)], [("500ms",)]]


def test_a_down_file_and_a_seed_have_the_lock_timeout_that_they_set(operator: Operator) -> None:
    seen = "SELECT current_setting('lock_timeout')"
    operator.write(A, "CREATE TABLE a (l text);", f"-- migrate: lock-timeout 9s\nCREATE TABLE down AS {seen};\nDROP TABLE a;")
    operator.project.write_seed("001_a", f"-- migrate: lock-timeout 1min\nINSERT INTO a {seen};")
    operator.migrate()
    operator.seed()
    assert operator.database.query("TABLE a") == [("1min",)]
    operator.roll_back()
    assert operator.database.query("TABLE down") == [("9s",)]


def test_a_seed_is_held_back_too(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    operator.project.write_seed("001_a", "TRUNCATE a;")
    with operator.database.connect() as blocker:
        open_transaction(blocker)
        events = run_behind(operator.database, blocker, seed(operator.make_runner(policy=PATIENT)), late=False)
    assert pick(events, Retried) == []
    assert list_done(events) == ["001_a"]
