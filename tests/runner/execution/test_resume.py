"""Interrupted files of several segments: what is committed, where the next run resumes, and when it refuses."""

import psycopg
import pytest

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import NoticeRaised, StatementStarted, StepStarted
from tests.runner.operating import A, B, Operator, list_done, pick

TABLES = "CREATE TABLE a (id int); CREATE TABLE log (word text);"
INDEX = "CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);"
FIRST = "BEGIN; CREATE TABLE a (); COMMIT;\n"
FAILS = FIRST + "BEGIN; CREATE TABLE b (); SELECT 1/0; COMMIT;\nBEGIN; CREATE TABLE c (); COMMIT;"
MENDED = FAILS.replace("SELECT 1/0;", "SELECT 1;")


def fail(operator: Operator, text: str = FAILS) -> StatementError:
    """Migrate with a file that fails, and return its error."""
    operator.write(A, text)
    with pytest.raises(StatementError) as failed:
        operator.migrate()
    return failed.value


def read_own_log(operator: Operator) -> list[tuple[str, int, int]]:
    return [(row.outcome, row.segments_done, row.segments_total) for row in reversed(operator.read_history(version=A))]


def test_segments_before_the_one_that_failed_stay_committed(any_operator: Operator) -> None:
    error = fail(any_operator)
    assert error.state == f"1 of 3 segments of {A} is committed; the next run resumes after it."
    assert any_operator.read_tables() == ["a"]
    assert any_operator.read_applied() == []


def test_an_interrupted_file_shows_in_the_status(any_operator: Operator) -> None:
    fail(any_operator)
    (row,) = any_operator.read_status().rows
    assert (row.version, row.state) == (A, "interrupted")
    assert row.note == "migrate: 1 of 3 segments done; last attempt failed: division by zero"


def test_the_next_run_resumes_after_the_committed_segments(any_operator: Operator) -> None:
    fail(any_operator)
    any_operator.write(A, MENDED)
    any_operator.write_tables(B.replace("_b", "_d"))
    events = any_operator.migrate()
    started, _ = pick(events, StepStarted)
    assert (started.version, started.statements, started.done) == (A, 4, 1)
    assert [(event.number, event.text) for event in pick(events, StatementStarted)][:3] == [
        (2, "CREATE TABLE b ()"),
        (3, "SELECT 1"),
        (4, "CREATE TABLE c ()"),
    ]
    assert any_operator.read_tables() == ["a", "b", "c", "d"]
    assert list(any_operator.read_states().values()) == ["applied", "applied"]


def test_the_log_follows_a_file_through_its_attempts(any_operator: Operator) -> None:
    fail(any_operator)
    any_operator.write(A, MENDED)
    any_operator.migrate()
    assert read_own_log(any_operator) == [
        ("started", 0, 3),
        ("started", 1, 3),
        ("failed", 1, 3),
        ("resumed", 1, 3),
        ("started", 2, 3),
        ("finished", 3, 3),
    ]


def test_a_file_can_break_off_more_than_once(operator: Operator) -> None:
    fail(operator)
    error = fail(operator, FAILS.replace("SELECT 1/0;", "").replace("CREATE TABLE c ()", "CREATE TABLE b ()"))
    assert error.message == 'relation "b" already exists'
    assert error.state.startswith("2 of 3 segments")
    operator.write(A, MENDED.replace("SELECT 1;", ""))
    assert [event.done for event in pick(operator.migrate(), StepStarted)] == [2]


@pytest.mark.parametrize(
    "text",
    [
        FAILS.replace("CREATE TABLE a ()", "CREATE TABLE a (id int)"),
        FAILS.removeprefix(FIRST),
        "BEGIN; CREATE TABLE a (); CREATE TABLE b (); COMMIT;",
    ],
)
def test_a_run_refuses_when_the_finished_part_was_changed(any_operator: Operator, text: str) -> None:
    fail(any_operator)
    any_operator.write(A, text)
    with pytest.raises(RefusedError, match="has 1 of its 3 segments committed, but") as refused:
        any_operator.migrate()
    assert "Restore the committed statements" in refused.value.hint
    assert "inv db.repair" in refused.value.hint
    assert any_operator.read_states() == {A: "interrupted"}
    assert any_operator.read_tables() == ["a"]


def test_comments_of_the_finished_part_may_change(operator: Operator) -> None:
    fail(operator)
    operator.write(A, f"-- Now it works.\n\n{MENDED.replace('COMMIT;', 'COMMIT; -- done', 1)}")
    assert list_done(operator.migrate()) == [A]


def test_a_file_whose_failed_part_was_deleted_is_complete(any_operator: Operator) -> None:
    fail(any_operator)
    any_operator.write(A, FIRST)
    assert list_done(any_operator.migrate()) == [A]
    assert any_operator.read_states() == {A: "applied"}
    assert any_operator.read_tables() == ["a"]


def test_settings_of_the_finished_segments_apply_to_the_others(any_operator: Operator) -> None:
    text = "CREATE SCHEMA s; SET search_path = s; CREATE TABLE a (id int);\nVACUUM a;\nSELECT {};\nCREATE TABLE b ();\nVACUUM b;"
    fail(any_operator, text.format("1/0"))
    any_operator.write(A, text.format("1"))
    any_operator.migrate()
    assert any_operator.database.query("SELECT to_regclass('s.b')::text") == [("s.b",)]
    assert any_operator.read_applied() == [A]


def test_an_index_that_could_not_be_built_is_dropped_and_built_when_its_rows_allow(any_operator: Operator) -> None:
    error = fail(any_operator, f"{TABLES} INSERT INTO a VALUES (1), (1);\n{INDEX}\nINSERT INTO log VALUES ('after');")
    assert "The invalid index that it left (public.a_id) was dropped." in error.state
    assert any_operator.database.query("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    any_operator.database.execute("DELETE FROM a WHERE ctid = '(0,1)'")
    events = any_operator.migrate()
    assert [event.text for event in pick(events, StatementStarted)] == [INDEX[:-1], "INSERT INTO log VALUES ('after')"]
    assert any_operator.database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [(True,)]


def test_an_invalid_index_under_if_not_exists_is_built_again(any_operator: Operator) -> None:
    any_operator.database.execute(TABLES + "INSERT INTO a VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation, match="could not create unique index"):
        any_operator.database.execute(INDEX)
    any_operator.database.execute("DELETE FROM a")
    any_operator.write(A, INDEX.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"))
    (notice,) = [event for event in pick(any_operator.migrate(), NoticeRaised) if "left by an interrupted" in event.message]
    assert notice.message.startswith("public.a_id was left by an interrupted attempt: DROP INDEX CONCURRENTLY")
    assert any_operator.database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [(True,)]


def test_an_attempt_that_kept_nothing_starts_from_the_first_statement(operator: Operator) -> None:
    fail(operator, "BEGIN; SELECT 1/0; COMMIT; BEGIN; CREATE TABLE b (); COMMIT;")
    assert operator.read_states() == {A: "failed"}
    operator.write(A, "CREATE TABLE another ();")
    assert [event.done for event in pick(operator.migrate(), StepStarted)] == [0]


def test_a_half_applied_version_without_its_file_shows_as_interrupted(operator: Operator) -> None:
    fail(operator)
    operator.remove(A)
    assert operator.read_states() == {A: "interrupted"}


def test_rolling_back_refuses_while_a_file_is_half_applied(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    fail(operator)
    with pytest.raises(RefusedError, match="is partly applied: 1 of 3 segments are committed") as refused:
        operator.roll_back()
    assert "Finish it first: inv db.migrate" in refused.value.hint
    assert operator.read_applied() == [B]
