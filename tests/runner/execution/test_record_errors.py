"""The end of a file fails, with its record or its COMMIT: that is its failure, and nothing of the next file has begun."""

import pytest

from tasks.runner.events import Event, Retried, StatementFinished, StatementStarted, StepFailed, StepStarted
from tasks.runner.operations.migrate import migrate, rollback
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tasks.runner.retries import RetryPolicy
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick

FIRST = "20241231000000_first"
CHILD = "CREATE TABLE b (id int);\nINSERT INTO a VALUES (2, 9);\nSELECT 1;"
TRIGGER = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE 'GA002' USING message = 'too late'; END $$;
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
"""
APPLIED = f"DO $$ BEGIN EXECUTE format('INSERT INTO %I (version) VALUES (%L)', 'schema_' || 'migrations', '{B}'); END $$;"
OBSTACLES = {
    "row": ("23514", "SELECT 1", f"ALTER TABLE schema_migrations ADD CHECK (version <> '{B}')"),
    "texts": ("23514", "SELECT 1", f"ALTER TABLE schema_migrations_scripts ADD CHECK (version <> '{B}')"),
    "log": ("23514", CHILD, f"ALTER TABLE schema_migrations_log ADD CHECK (version <> '{B}' OR outcome = 'failed')"),
    "deferred check": ("23503", CHILD, "ALTER TABLE a ADD FOREIGN KEY (up) REFERENCES a DEFERRABLE INITIALLY DEFERRED"),
    "deferred trigger": ("GA002", CHILD, TRIGGER),
    "applied by another": ("23505", CHILD, "SELECT 1"),
}
"""SQLSTATE, the text of the file, and what makes its end fail."""


@pytest.mark.parametrize(("sqlstate", "text", "obstacle"), OBSTACLES.values(), ids=OBSTACLES)
@pytest.mark.parametrize("following", [(), (C,)])
def test_the_end_of_a_file_fails_before_the_next_one_begins(
    following: tuple[str, ...], sqlstate: str, text: str, obstacle: str, operator: Operator
) -> None:
    operator.write(FIRST, "CREATE TABLE a (id int PRIMARY KEY, up int);")
    operator.migrate()
    operator.database.execute(obstacle)
    operator.write(A, APPLIED if sqlstate == "23505" else "SELECT 1;")
    operator.write(B, text)
    operator.write_tables(*following)
    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert error.sqlstate == sqlstate
    assert error.state == f"{B} was rolled back completely. 1 earlier migration of this run stays applied."
    assert [event.version for event in pick(events, StepStarted)] == [A, B]
    assert [event.version for event in pick(events, StepFailed)] == [B]
    assert list_done(events) == [A]
    assert {event.version for event in pick(events, StatementStarted)} == {A, B}
    assert operator.read_tables() == ["a"]
    assert operator.read_log()[-2:] == [("migrate", "failed", B), ("migrate", "failed", "")]


def test_a_conflict_at_the_commit_repeats_that_file_only(operator: Operator) -> None:
    operator.write(FIRST, "CREATE TABLE x (n int);\nCREATE TABLE y (n int);")
    operator.migrate()
    operator.write(A, "INSERT INTO x VALUES (1);")
    operator.write(B, "BEGIN ISOLATION LEVEL SERIALIZABLE;\nINSERT INTO y SELECT sum(n) FROM x;\nSELECT 2;\nCOMMIT;")
    operator.write_tables(C)
    events: list[Event] = []
    for event in migrate(operator.make_runner(policy=RetryPolicy(attempts=3)), MigrateGoal()):
        events.append(event)
        if isinstance(event, StatementFinished) and event.version == B and event.number == 2 and not pick(events, Retried):
            operator.database.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO x SELECT count(*) + 4 FROM y; COMMIT")
    assert [(event.version, event.attempt) for event in pick(events, Retried)] == [(B, 1)]
    started = [event.version for event in events if isinstance(event, StatementStarted)]
    assert started == [A, B, B, B, B, C]
    assert list_done(events) == [A, B, C]
    assert operator.database.query("TABLE y") == [(5,)]
    assert operator.database.query("TABLE x") == [(1,), (4,)]


def test_the_end_of_a_rollback_fails_before_the_next_one_begins(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.write(B, "CREATE TABLE b (id int);", "DROP TABLE b;")
    operator.migrate()
    operator.database.execute(f"CREATE TABLE uses (v varchar(255) REFERENCES schema_migrations); INSERT INTO uses VALUES ('{B}')")
    events, error = collect_failure(rollback(operator.make_runner(), RollbackGoal(3, "")))
    assert error.sqlstate == "23503"
    assert [event.version for event in pick(events, StepStarted)] == [C, B]
    assert list_done(events) == [C]
    assert operator.read_tables() == ["a", "b", "uses"]
    assert operator.read_applied() == [A, B]
