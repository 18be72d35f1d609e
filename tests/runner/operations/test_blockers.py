"""db.blockers: who blocks whom in a database, and the end of a session that blocks others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tasks.console import describe
from tasks.runner.errors import PlanChangedError, RefusedError, UsageError
from tasks.runner.events import BlockersRead, RepairProposed, RunFinished, SessionEnded
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.blockers import end_blocker, list_blockers
from tasks.runner.operations.repair import identify_proposal
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.kit.roles import make_roles, use_as
from tests.kit.waiting import wait_until
from tests.runner.operating import A, Operator, operate_as
from tests.stress.blocking import waiting

ALTER = "ALTER TABLE accounts ADD COLUMN name text"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    database.execute("CREATE TABLE accounts (id int PRIMARY KEY); INSERT INTO accounts VALUES (1)")
    return Operator(project, database)


@contextmanager
def blocking(database: Database, statement: str = "SELECT * FROM accounts") -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection with an open transaction in which a statement has run."""
    with database.connect(application_name="app", autocommit=False) as connection:
        connection.execute(statement)
        yield connection
        # The server may have ended it.
        connection.close()


def list_read(runner: MigrationRunner) -> BlockersRead:
    (read,) = list_blockers(runner)
    assert isinstance(read, BlockersRead)
    return read


def find_pid(connection: psycopg.Connection[Any]) -> int:
    return connection.info.backend_pid


def test_a_chain_of_sessions_is_read_with_modes_relations_and_queries(any_database: Database, project: Project) -> None:
    any_database.execute("CREATE TABLE accounts (id int PRIMARY KEY)")
    runner = Operator(project, any_database).make_runner()
    with (
        blocking(any_database) as first,
        waiting(any_database, ALTER) as second,
        waiting(any_database, "SELECT 'of accounts', id FROM accounts") as third,
    ):
        read, pid = list_read(runner), find_pid(first)
        first.rollback()
    found = {each.session.pid: each for each in read.sessions}
    assert list(map(len, (found, read.prepared))) == [3, 0]
    blocker, alter, select = found[pid], found[second], found[third]
    assert (blocker.waits_for, blocker.session.state, blocker.session.application) == ((), "idle in transaction", "app")
    assert (alter.waits_for, alter.mode, alter.target) == ((pid,), "AccessExclusiveLock", "public.accounts")
    assert (select.waits_for, select.mode, select.session.query) == (
        (second,),
        "AccessShareLock",
        "SELECT 'of accounts', id FROM accounts",
    )
    assert blocker.own
    assert alter.started < alter.waits_since < select.waits_since < read.at


@pytest.mark.parametrize(
    ("before", "statement", "target"),
    [
        ("UPDATE accounts SET id = 2", "UPDATE accounts SET id = 3", "a row of public.accounts"),
        ("SELECT pg_advisory_xact_lock(7)", "SELECT pg_advisory_xact_lock(7)", "advisory lock 7"),
        ("SELECT pg_advisory_xact_lock(7, 8)", "SELECT pg_advisory_xact_lock(7, 8)", "advisory lock 7, 8"),
        ("UPDATE accounts SET id = 2", "CREATE INDEX CONCURRENTLY i ON accounts (id)", "the end of an older transaction"),
        ('CREATE TABLE "b;" (); SELECT * FROM accounts', "DROP TABLE accounts", "public.accounts"),
    ],
)
def test_what_a_session_waits_for_is_named(operator: Operator, before: str, statement: str, target: str) -> None:
    with operator.database.connect(autocommit=False) as other:
        # Only who is the first to wait for a row has a lock on it.
        other.execute(before)
        with waiting(operator.database, statement) as pid:
            (each,) = (each for each in list_read(operator.make_runner()).sessions if each.session.pid == pid)
            other.rollback()
    assert each.target == target


def test_a_prepared_transaction_is_named_with_the_sessions_that_wait_for_it(
    new_server: Callable[..., OwnServer], project: Project
) -> None:
    server = new_server()
    server.start(max_prepared_transactions="2")
    database = Database(server, "postgres")
    database.execute("CREATE TABLE accounts (id int); CREATE TABLE others (id int)")
    for table, name in (("accounts", "x''y"), ("others", "z")):
        database.execute(f"BEGIN; LOCK TABLE {table}; PREPARE TRANSACTION '{name}'")
    with waiting(database, ALTER) as pid:
        (read,) = list_blockers(Operator(project, database).make_runner())
        database.execute("ROLLBACK PREPARED 'x''y'")
    database.close()
    assert isinstance(read, BlockersRead)
    assert [(each.name, each.blocked) for each in read.prepared] == [("x'y", (pid,))]
    assert "ROLLBACK PREPARED 'x''y';" in "\n".join(describe(read))


def test_the_locks_of_another_database_are_left_out(operator: Operator) -> None:
    with fresh_database(operator.database.server) as other:
        other.execute("CREATE TABLE accounts (id int)")
        with blocking(other) as first, waiting(other, ALTER):
            assert list_read(operator.make_runner()).sessions == ()
            with pytest.raises(RefusedError, match="blocks no session of this database"):
                list(end_blocker(operator.make_runner(), find_pid(first), lambda _: True))
            first.rollback()


def test_passwords_in_queries_are_masked(operator: Operator) -> None:
    secret = "LOCK TABLE accounts; SET test.password = 'geheim'"
    with blocking(operator.database, secret) as first, waiting(operator.database, ALTER):
        read = list_read(operator.make_runner())
        first.rollback()
    assert "geheim" not in str(read)
    assert "test.password" in str(read)


def test_locked_tables_of_the_ledger_do_not_delay_the_answer(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    lock = "LOCK TABLE schema_migrations, schema_migrations_log, schema_migrations_meta"
    with blocking(operator.database, lock) as first, waiting(operator.database, "SELECT * FROM schema_migrations") as pid:
        found = [each.session.pid for each in list_read(operator.make_runner()).sessions]
        assert sorted(found) == sorted((find_pid(first), pid))
        first.rollback()


def test_a_confirmed_blocker_is_ended_and_what_waited_for_it_runs(any_database: Database, project: Project) -> None:
    any_database.execute("CREATE TABLE accounts (id int PRIMARY KEY)")
    proposals: list[RepairProposed] = []

    def confirm(proposal: RepairProposed) -> bool:
        proposals.append(proposal)
        return True

    with blocking(any_database) as first:
        with waiting(any_database, ALTER):
            runner, pid = Operator(project, any_database).make_runner(), find_pid(first)
            events = list(end_blocker(runner, pid, confirm))
        with pytest.raises(psycopg.errors.AdminShutdown):
            first.execute("SELECT 1")
    assert isinstance(events[0], BlockersRead)
    assert events[1:] == [*proposals, SessionEnded(pid)]
    assert proposals[0].version == f"pid {pid}"


def test_without_a_confirmation_nothing_is_ended(operator: Operator) -> None:
    with blocking(operator.database) as first, waiting(operator.database, ALTER):
        runner, pid = operator.make_runner(), find_pid(first)
        *_, last = end_blocker(runner, pid, lambda _: False)
        assert last == RunFinished("blockers", 0, 0, proposed=1)
        with pytest.raises(RefusedError, match="this needs confirmation"):
            list(end_blocker(runner, pid, None))
        _, proposed, _ = end_blocker(runner, pid, None, dry_run=True)
        assert isinstance(proposed, RepairProposed)
        first.execute("SELECT 1")
        first.rollback()


def test_only_a_session_that_blocks_others_is_ended(operator: Operator) -> None:
    with blocking(operator.database) as first, pytest.raises(RefusedError, match="blocks no session"):
        list(end_blocker(operator.make_runner(), find_pid(first), lambda _: True))
    with pytest.raises(UsageError, match="there is no session with pid 999999"):
        list(end_blocker(operator.make_runner(), 999_999, lambda _: True))


def test_only_a_session_of_the_own_role_is_ended(operator: Operator) -> None:
    with make_roles(operator.database) as make_role:
        role = make_role("deploy")
        with blocking(operator.database) as first, waiting(operator.database, ALTER):
            runner = operate_as(operator, role).make_runner()
            with pytest.raises(RefusedError, match="belongs to postgres") as refused:
                list(end_blocker(runner, find_pid(first), lambda _: True))
            assert f"SELECT pg_terminate_backend({find_pid(first)});" in refused.value.hint
            first.rollback()
        operator.database.execute(f'GRANT ALL ON accounts TO "{role}"')
        with blocking(use_as(operator.database, role)) as first, waiting(operator.database, "ALTER TABLE accounts ADD x int"):
            list(end_blocker(runner, find_pid(first), lambda _: True))
            with pytest.raises(psycopg.errors.AdminShutdown):
                first.execute("SELECT 1")


def test_another_session_with_the_same_number_is_not_ended(operator: Operator) -> None:
    with blocking(operator.database) as first, waiting(operator.database, ALTER):
        runner, pid = operator.make_runner(), find_pid(first)
        _, proposed, _ = end_blocker(runner, pid, None, dry_run=True)
        assert isinstance(proposed, RepairProposed)
        agreed = identify_proposal(proposed).replace("20", "19", 1)
        with pytest.raises(PlanChangedError, match="no longer the session that was shown"):
            list(end_blocker(runner, pid, None, agreed=[agreed]))
        first.execute("SELECT 1")
        list(end_blocker(runner, pid, None, agreed=[identify_proposal(proposed)]))


def test_a_session_that_ends_during_the_question_is_not_looked_for_elsewhere(operator: Operator) -> None:
    with blocking(operator.database) as first, waiting(operator.database, ALTER):
        pid = find_pid(first)

        def confirm(_proposal: RepairProposed) -> bool:
            first.close()
            query = "SELECT WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
            wait_until(lambda: operator.database.query(query, pid), what="the session to end")
            return True

        with pytest.raises(UsageError, match=f"there is no session with pid {pid}"):
            list(end_blocker(operator.make_runner(), pid, confirm))
