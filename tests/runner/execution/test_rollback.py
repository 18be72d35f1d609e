"""What rolling back does: which versions, by which text, in which order, and when it refuses."""

import pytest

from tasks.runner.errors import RefusedError, StatementError, UsageError
from tasks.runner.events import PlanMade, RunFinished, StepStarted
from tasks.runner.identity import Identity
from tests.runner.operating import A, B, C, Operator, list_done, pick


def apply(operator: Operator, *versions: str) -> None:
    """Apply migrations that create a table each, one after the other in this order."""
    for version in versions:
        operator.write_tables(version)
        operator.migrate()


@pytest.mark.parametrize(
    ("applied", "options", "undone"),
    [
        ((A, B, C), {}, [C]),
        ((A, B, C), {"steps": 2}, [C, B]),
        ((A, B, C), {"steps": 9}, [C, B, A]),
        ((A, B, C), {"to": A}, [C, B]),
        ((A, B, C), {"to": "20250102"}, [C]),
        ((A, B, C), {"to": C}, []),
        ((A, B, C), {"to": "0"}, [C, B, A]),
        ((A, C, B), {}, [B]),
        ((A, C, B), {"steps": 2}, [B, C]),
        ((A, C, B), {"to": A}, [B, C]),
        ((A, C, B), {"to": B}, [C]),
        ((), {}, []),
    ],
)
def test_the_newest_applications_are_undone_first(
    operator: Operator, applied: tuple[str, ...], options: dict[str, str], undone: list[str]
) -> None:
    apply(operator, *applied)
    events = operator.roll_back(**options)  # type: ignore[arg-type]
    assert list_done(events) == undone
    left = [version for version in applied if version not in undone]
    assert operator.read_tables() == sorted(version[-1] for version in left)
    assert [version for version, state in operator.read_states().items() if state == "applied"] == sorted(left)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].steps == len(undone)


def test_rolling_back_takes_away_row_and_texts_and_logs_it(any_operator: Operator) -> None:
    apply(any_operator, A, B)
    any_operator.roll_back(identity=Identity(actor="ada"))
    assert any_operator.read_applied() == [A]
    assert any_operator.database.query("SELECT version FROM schema_migrations_scripts") == [(A,)]
    assert any_operator.read_log()[-3:] == [
        ("rollback", "started", ""),
        ("rollback", "finished", B),
        ("rollback", "finished", ""),
    ]
    assert any_operator.read_history(version=B)[0].actor == "ada"


def test_what_was_rolled_back_can_be_applied_again(any_operator: Operator) -> None:
    apply(any_operator, A, B)
    any_operator.roll_back(steps=2)
    any_operator.write(A, "CREATE TABLE a (another bigint);", "DROP TABLE a;")
    assert list_done(any_operator.migrate()) == [A, B]


def test_a_down_and_the_end_of_its_row_are_one_transaction(any_operator: Operator) -> None:
    apply(any_operator, A, B)
    any_operator.project.write_down(B, "DROP TABLE b;\nDROP TABLE a;\nSELECT 1/0;")
    with pytest.raises(StatementError, match="division by zero") as failed:
        any_operator.roll_back()
    assert any_operator.read_tables() == ["a", "b"]
    assert any_operator.read_applied() == [A, B]
    assert any_operator.read_history(version=B)[0].sqlstate == "22012"
    assert any_operator.read_status().rows[1].note == "last attempt failed: division by zero"
    assert failed.value.state == f"The rollback of {B} was undone completely."
    assert failed.value.hint == "Fix the file, then run the command again."


def test_a_rollback_that_fails_after_others_names_the_number_of_remaining_steps(any_operator: Operator) -> None:
    apply(any_operator, A, B, C)
    any_operator.project.write_down(B, "SELECT 1/0;")
    with pytest.raises(StatementError, match="division by zero") as failed:
        any_operator.roll_back(steps=3)
    assert failed.value.state == f"The rollback of {B} was undone completely. 1 earlier rollback of this run stays in effect."
    hint = "A rollback counts its steps from the current state. To finish this one, use --steps=2."
    assert failed.value.hint.splitlines()[1] == hint
    any_operator.project.write_down(B, "DROP TABLE b;")
    assert list_done(any_operator.roll_back(steps=2)) == [B, A]


def test_the_stored_text_runs_where_the_checkout_lacks_the_file(any_operator: Operator) -> None:
    apply(any_operator, A, B)
    any_operator.remove(B)
    events = any_operator.roll_back()
    assert list_done(events) == [B]
    assert pick(events, PlanMade)[0].steps[0].file == f"(stored) down/{B}.sql"
    assert any_operator.read_tables() == ["a"]
    assert any_operator.read_states() == {A: "applied"}


def test_the_file_takes_precedence_over_the_stored_text(any_operator: Operator) -> None:
    apply(any_operator, A)
    any_operator.project.write_down(A, "ALTER TABLE a RENAME TO kept;")
    any_operator.roll_back()
    assert any_operator.read_tables() == ["kept"]


def test_a_down_file_that_came_later_counts(any_operator: Operator) -> None:
    any_operator.write(A, "CREATE TABLE a ();")
    any_operator.migrate()
    any_operator.project.write_down(A, "DROP TABLE a;")
    assert list_done(any_operator.roll_back()) == [A]


def test_a_version_without_a_down_refuses_before_anything_is_undone(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();")
    operator.write_tables(B)
    operator.migrate()
    with pytest.raises(RefusedError, match=f"{A} cannot be rolled back: there is no down file, and none was stored") as refused:
        operator.roll_back(steps=2)
    assert refused.value.exit_code == 3
    assert refused.value.state == "Nothing was changed."
    assert f"down/{A}.sql" in refused.value.hint
    assert operator.read_tables() == ["a", "b"]


@pytest.mark.parametrize("with_file", [True, False])
def test_an_irreversible_version_refuses_with_its_reason(operator: Operator, with_file: bool) -> None:
    operator.write(A, "CREATE TABLE a ();", "-- migrate: irreversible: the rows are gone\n")
    operator.migrate()
    if not with_file:
        operator.remove(A)
    with pytest.raises(RefusedError, match=f"{A} cannot be rolled back: the rows are gone"):
        operator.roll_back()
    assert operator.read_applied() == [A]


def test_an_unknown_version_changes_nothing(operator: Operator) -> None:
    apply(operator, A)
    with pytest.raises(UsageError, match="there is no version 2024"):
        operator.roll_back(to="2024")
    assert operator.read_applied() == [A]


def test_an_edited_up_file_does_not_hinder(operator: Operator) -> None:
    apply(operator, A)
    operator.write(A, "CREATE TABLE a (id bigint);")
    assert list_done(operator.roll_back()) == [A]


def test_another_environment_refuses(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="prod")
    with pytest.raises(RefusedError, match="this run is for local, but the database belongs to prod"):
        operator.roll_back(environment="local")
    assert operator.read_tables() == ["a"]


def test_a_down_outside_a_transaction_runs_by_segments(any_operator: Operator) -> None:
    any_operator.write(
        A,
        "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);",
        "DROP INDEX CONCURRENTLY a_id;\nDROP TABLE a;",
    )
    any_operator.migrate()
    assert list_done(any_operator.roll_back()) == [A]
    assert (any_operator.read_tables(), any_operator.read_applied()) == ([], [])
    log = [(row.action, row.outcome, row.segments_done) for row in any_operator.read_history(version=A)]
    assert log[:3] == [("rollback", "finished", 2), ("rollback", "started", 1), ("rollback", "started", 0)]


def interrupt_rollback(operator: Operator) -> None:
    """Roll back two tables by a down file that fails between them."""
    down = "BEGIN; DROP TABLE a; COMMIT;\nBEGIN; SELECT {}; DROP TABLE b; COMMIT;"
    operator.write(A, "CREATE TABLE a (); CREATE TABLE b ();", down.format("1/0"))
    operator.migrate()
    with pytest.raises(StatementError):
        operator.roll_back()
    operator.project.write_down(A, down.format("1"))


def test_an_interrupted_rollback_resumes_where_it_stopped(any_operator: Operator) -> None:
    interrupt_rollback(any_operator)
    assert any_operator.read_tables() == ["b"]
    assert any_operator.read_states() == {A: "interrupted"}
    assert any_operator.read_status().rows[0].note.startswith("rollback: 1 of 2 segments done; last attempt failed: division")
    events = any_operator.roll_back()
    assert [event.done for event in pick(events, StepStarted)] == [1]
    assert any_operator.read_tables() == []
    assert any_operator.read_states() == {A: "pending"}


def test_migrating_refuses_while_a_rollback_is_interrupted(any_operator: Operator) -> None:
    interrupt_rollback(any_operator)
    any_operator.write_tables(C)
    with pytest.raises(RefusedError, match="is partly rolled back: 1 of 2 segments of its down file are committed") as refused:
        any_operator.migrate()
    assert refused.value.hint == "Finish it first: inv db.rollback"
    assert any_operator.read_tables() == ["b"]
    any_operator.roll_back()
    assert list_done(any_operator.migrate()) == [A, C]


def test_a_down_file_whose_failed_part_was_deleted_is_complete(operator: Operator) -> None:
    interrupt_rollback(operator)
    operator.project.write_down(A, "BEGIN; DROP TABLE a; COMMIT;")
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_states() == {A: "pending"}


def test_an_interrupted_rollback_without_its_file_resumes_with_the_stored_text_if_that_matches(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (); CREATE TABLE b ();", "BEGIN; DROP TABLE a; COMMIT;\nBEGIN; DROP TABLE b; COMMIT;")
    operator.migrate()
    operator.database.execute("CREATE VIEW in_the_way AS SELECT FROM b")
    with pytest.raises(StatementError, match="cannot drop table b"):
        operator.roll_back()
    operator.database.execute("DROP VIEW in_the_way")
    operator.remove(A)
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_tables() == []
