"""Events during a statement of more than two seconds: what it waits for, and the progress of its index."""

from collections.abc import Callable

from tasks.runner.events import Event, IndexAdvanced, Waiting
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tasks.runner.retries import RetryPolicy
from tests.runner.operating import A, B, Operator, list_done, pick

PATIENT = RetryPolicy(lock_timeout_ms=20_000, attempts=1)


def watch(operator: Operator, react: Callable[[Event], object]) -> list[Event]:
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

        def react(event: Event) -> None:
            # The first report may come before the answer to the first look.
            if isinstance(event, Waiting) and event.blockers:
                blocker.rollback()

        events = watch(any_operator, react)
        waiting = next(event for event in pick(events, Waiting) if event.blockers)
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
            elif isinstance(event, IndexAdvanced) and event.phase != "initializing":
                blocker.rollback()

        events = watch(any_operator, react)
    advanced = next(event for event in pick(events, IndexAdvanced) if event.phase != "initializing")
    assert (advanced.version, advanced.line) == (A, 2)
    assert advanced.phase == "waiting for writers before build"
    assert list_done(events) == [A]


def test_a_statement_that_is_only_slow_has_no_blockers(operator: Operator) -> None:
    database = operator.database
    database.execute("CREATE TABLE reported ()")
    operator.write(A, "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM reported) LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;")
    events = watch(
        operator, lambda event: database.execute("INSERT INTO reported DEFAULT VALUES") if isinstance(event, Waiting) else None
    )
    assert {event.blockers for event in pick(events, Waiting)} == {()}
