"""Whether a database is current: the question of an application's start-up and health check."""

import asyncio

import pytest

from tasks.runner.errors import ConnectError, FilesError, RefusedError, RunnerError, StatementError
from tests.kit.roles import MakeRole
from tests.runner.operating import A, B, C, Operator, operate_as


def is_current(operator: Operator, **options: str) -> bool:
    return operator.make_runner(**options).is_current()


def test_a_database_is_current_if_all_migrations_are_applied(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    assert not is_current(any_operator)
    any_operator.migrate(to=A)
    assert not is_current(any_operator)
    any_operator.migrate()
    assert is_current(any_operator)


def test_the_question_creates_no_ledger(operator: Operator) -> None:
    operator.write_tables(A)
    assert not is_current(operator)
    assert operator.database.query("SELECT FROM pg_class WHERE relname LIKE 'schema_migrations%'") == []


def test_an_older_checkout_finds_a_newer_database_current(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.write(C, "-- migrate: no-transaction\nCREATE TABLE c (id int);\nSELECT 1/0;")
    with pytest.raises(StatementError):
        operator.migrate()
    operator.remove(B)
    operator.remove(C)
    assert is_current(operator)


def test_an_edited_migration_is_not_current_but_other_line_ends_are(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (\nid int);")
    operator.migrate()
    operator.write(A, "CREATE TABLE a (\r\nid int);")
    assert is_current(operator)
    operator.write(A, "CREATE TABLE a (id bigint);")
    assert not is_current(operator)


def test_a_migration_that_is_partly_rolled_back_is_not_current(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();", "-- migrate: no-transaction\nCREATE TABLE other ();\nSELECT 1/0;")
    operator.migrate()
    with pytest.raises(StatementError):
        operator.roll_back()
    assert not is_current(operator)


def test_a_late_migration_is_not_current(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.write_tables(A)
    assert not is_current(operator)


def test_a_role_that_may_only_read_the_versions_gets_an_answer(operator: Operator, make_role: MakeRole) -> None:
    operator.write_tables(A)
    operator.migrate()
    role = make_role("application")
    with pytest.raises(RefusedError, match="no privilege"):
        is_current(operate_as(operator, role))
    operator.database.execute(f'GRANT SELECT ON schema_migrations TO "{role}"')
    assert is_current(operate_as(operator, role))


def test_the_database_of_another_environment_is_refused(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="staging")
    with pytest.raises(RefusedError, match="belongs to staging"):
        is_current(operator, environment="prod")


def test_without_migrations_or_a_database_there_is_no_answer(operator: Operator) -> None:
    with pytest.raises(FilesError, match="there is no migrations folder"):
        is_current(operator, migrations_dir="elsewhere")
    runner = operator.make_runner()
    runner.url = "postgresql://me@127.0.0.1:1/none"
    with pytest.raises(ConnectError):
        runner.is_current()


def test_a_locked_ledger_does_not_keep_a_health_check(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    with operator.database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE schema_migrations")
        # On a slow machine, the limit may end the wait for the first answer already.
        with pytest.raises(RunnerError, match=r"timeout|did not answer within 0\.1 s"):
            operator.make_runner().is_current(timeout_s=0.1)


def test_the_event_loop_is_not_blocked(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()

    async def ask() -> tuple[bool, list[str]]:
        order: list[str] = []

        async def answer() -> bool:
            current = await operator.make_runner().is_current_async()
            order.append("answer")
            return current

        with operator.database.connect(autocommit=False) as blocker:
            blocker.execute("LOCK TABLE schema_migrations")
            question = asyncio.create_task(answer())
            await asyncio.sleep(0)
            order.append("other work")
            blocker.rollback()
        return await question, order

    assert asyncio.run(ask()) == (True, ["other work", "answer"])
