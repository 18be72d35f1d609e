"""Transactions that fail only because others run at the same time are retried."""

from collections.abc import Callable

from tasks.runner.events import Event, Retried, StatementFinished, StatementStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.runner.operating import A, Operator, list_done, pick

TABLES = "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1)"


def run(operator: Operator, react: Callable[[Event], object]) -> list[Event]:
    """Migrate with retries, and react once to the first event for which `react` returns something."""
    seen: list[Event] = []
    reacted = False
    for event in migrate(operator.make_runner(policy=RetryPolicy(attempts=3)), MigrateGoal()):
        seen.append(event)
        reacted = reacted or bool(react(event))
        if reacted:
            react = lambda _: None  # noqa: E731
    return seen


def test_a_row_that_changed_after_the_snapshot_is_retried(any_operator: Operator) -> None:
    database = any_operator.database
    database.execute(TABLES)
    # A statement may run as soon as the one before has ended, so the row changes while one waits.
    statements = [
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "SELECT FROM a",
        "SELECT pg_advisory_xact_lock(1)",
        "UPDATE a SET n = n * 10",
    ]
    any_operator.write(A, ";\n".join((*statements, "COMMIT;")))
    with database.connect(autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")

        def change(event: Event) -> bool:
            if isinstance(event, StatementStarted) and event.line == 3:
                other.execute("UPDATE a SET n = 2")
                other.execute("SELECT pg_advisory_unlock(1)")
                return True
            return False

        events = run(any_operator, change)
    ((retried),) = pick(events, Retried)
    assert retried.reason == "serialization failure: could not serialize access due to concurrent update"
    assert list_done(events) == [A]
    assert database.query("SELECT n FROM a") == [(20,)]


def test_a_conflict_that_shows_when_the_transaction_ends_is_retried(any_operator: Operator) -> None:
    database = any_operator.database
    database.execute(TABLES)
    any_operator.write(A, "BEGIN ISOLATION LEVEL SERIALIZABLE;\nINSERT INTO b SELECT sum(n) FROM a;\nCOMMIT;")
    other = "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO a SELECT count(*) + 4 FROM b; COMMIT"
    events = run(any_operator, lambda event: isinstance(event, StatementFinished) and database.execute(other))
    ((retried),) = pick(events, Retried)
    assert retried.reason.startswith("serialization failure: could not serialize access due to read/write dependencies")
    assert list_done(events) == [A]
    assert database.query("SELECT n FROM b") == [(5,)]


def test_a_failure_of_a_deferred_check_is_retried(operator: Operator) -> None:
    operator.database.execute(
        "CREATE SEQUENCE tries; CREATE TABLE a (n int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('tries') = 1 THEN RAISE SQLSTATE '40001'; END IF; RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()"
    )
    operator.write(A, "INSERT INTO a VALUES (1);")
    events = run(operator, lambda _: None)
    assert len(pick(events, Retried)) == 1
    assert operator.database.query("SELECT n FROM a") == [(1,)]
