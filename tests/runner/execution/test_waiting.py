"""Events during a statement of more than two seconds: what it waits for, and the progress of its index."""

from collections.abc import Callable

from tasks.runner.events import Event, IndexAdvanced, Waiting
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.runner.operating import A, B, Operator, list_done, pick

PATIENT = RetryPolicy(lock_timeout_ms=20_000, attempts=1)


def watch(operator: Operator, react: Callable[[Event], None]) -> list[Event]:
    """Migrate, and react to each event while the run is in progress."""
    seen: list[Event] = []
    for event in migrate(operator.make_runner(policy=PATIENT), MigrateGoal()):
        seen.append(event)
        react(event)
    return seen


def test_after_two_seconds_the_blocker_is_named(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    any_operator.migrate()
    any_operator.write(B, "SELECT 1;\n\nALTER TABLE a ADD n int;")
    with any_operator.database.connect(application_name="a report") as blocker:
        blocker.execute("BEGIN; SELECT FROM a")
        events = watch(any_operator, lambda event: blocker.rollback() if isinstance(event, Waiting) else None)
        waiting, *_ = pick(events, Waiting)
        assert (waiting.version, waiting.line) == (B, 3)
        assert waiting.seconds_s >= 2
        ((session),) = waiting.blockers
        assert (session.pid, session.application) == (blocker.info.backend_pid, "a report")
        assert (session.state, session.query) == ("idle in transaction", "BEGIN; SELECT FROM a")
    assert list_done(events) == [B]


def test_the_phase_of_an_index_build_is_reported(any_operator: Operator) -> None:
    any_operator.write(A, "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);")
    with any_operator.database.connect() as blocker:

        def react(event: Event) -> None:
            if getattr(event, "text", "").startswith("CREATE INDEX"):
                blocker.execute("BEGIN; LOCK TABLE a IN ROW EXCLUSIVE MODE")
            elif isinstance(event, IndexAdvanced):
                blocker.rollback()

        events = watch(any_operator, react)
    advanced, *_ = pick(events, IndexAdvanced)
    assert (advanced.version, advanced.line) == (A, 2)
    assert advanced.phase == "waiting for writers before build"
    assert list_done(events) == [A]


def test_a_statement_that_is_only_slow_has_no_blockers(operator: Operator) -> None:
    operator.write(A, "SELECT pg_sleep(2.5);")
    events = watch(operator, lambda _: None)
    assert [event.blockers for event in pick(events, Waiting)] == [()]
