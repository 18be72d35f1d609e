"""Files with their own BEGIN and COMMIT, as in the template of the strategy document, and with their own ledger rows."""

import hashlib

import pytest

from tasks.runner.errors import StatementError
from tasks.runner.events import StepStarted
from tasks.runner.identity import Identity
from tests.runner.operating import A, B, Operator, list_done, pick

TEMPLATE = f"""\
-- Migration: {A}.sql
-- Description: Creates a

BEGIN;

-- Migration logic here
CREATE TABLE a (id int);

-- Record migration
INSERT INTO schema_migrations (version, applied_by)
VALUES ('{A}', 'migration_script');

COMMIT;

-- Verify
SELECT count(*) FROM a;
"""
RECORD = f"INSERT INTO schema_migrations (version) VALUES ('{A}');"
LOOK = "CREATE TABLE a AS SELECT current_setting('transaction_isolation');"
TWO_PAIRS = f"BEGIN; CREATE TABLE a (); {RECORD} COMMIT;\nBEGIN; SELECT {{}}; COMMIT;"


def read_rows(operator: Operator) -> list[tuple[object, ...]]:
    recent = "now() AT TIME ZONE 'UTC' - applied_at BETWEEN '0 s' AND '1 min'"
    return operator.database.query(
        f"SELECT version, applied_by, checksum, {recent}, execution_time_ms >= 0 FROM schema_migrations"
    )


def test_a_file_after_the_template_runs_and_its_own_row_is_completed(any_operator: Operator) -> None:
    any_operator.database.execute(f"ALTER DATABASE {any_operator.database.name} SET timezone = 'Asia/Tokyo'")
    any_operator.write(A, TEMPLATE)
    assert list_done(any_operator.migrate()) == [A]
    checksum = hashlib.sha256(TEMPLATE.encode()).hexdigest()
    assert read_rows(any_operator) == [(A, "migration_script", checksum, True, True)]
    assert list_done(any_operator.migrate()) == []
    assert any_operator.read_states() == {A: "applied"}


def test_a_row_of_its_own_without_a_name_gets_the_actor(any_operator: Operator) -> None:
    any_operator.write(A, RECORD)
    any_operator.migrate(identity=Identity(actor="ada"))
    assert [row[1] for row in read_rows(any_operator)] == ["ada"]


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE.replace("FROM a;", "FROM a; SELECT 1/0;"),
        TEMPLATE.replace("BEGIN;", "CREATE TABLE before ();\nBEGIN;").replace("COMMIT;", "SELECT 1/0; COMMIT;"),
    ],
)
def test_statements_before_and_after_the_pair_share_its_transaction(any_operator: Operator, text: str) -> None:
    any_operator.write(A, text)
    with pytest.raises(StatementError, match="division by zero"):
        any_operator.migrate()
    assert (any_operator.read_tables(), any_operator.read_applied()) == ([], [])


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (LOOK, "read committed"),
        (f"BEGIN ISOLATION LEVEL SERIALIZABLE; {LOOK} COMMIT;", "serializable"),
        (f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {LOOK}", "repeatable read"),
    ],
)
def test_a_file_chooses_its_isolation_level(any_operator: Operator, text: str, level: str) -> None:
    any_operator.write(A, text)
    any_operator.migrate()
    assert any_operator.database.query("TABLE a") == [(level,)]


def test_several_pairs_are_segments_with_a_transaction_each(any_operator: Operator) -> None:
    any_operator.write(A, "BEGIN; CREATE TABLE a (); COMMIT; BEGIN; CREATE TABLE b (); COMMIT; SELECT 1;")
    any_operator.migrate()
    ((first, second, row),) = any_operator.database.query(
        "SELECT a.xmin::text, b.xmin::text, m.xmin::text FROM pg_class a, pg_class b, schema_migrations m"
        " WHERE a.relname = 'a' AND b.relname = 'b'"
    )
    assert len({first, second, row}) == 3
    assert [(row.segments_done, row.segments_total) for row in any_operator.read_history(version=A)] == [
        (3, 3),
        (2, 3),
        (1, 3),
        (0, 3),
    ]


def test_a_row_of_its_own_before_the_last_segment_does_not_make_it_applied(any_operator: Operator) -> None:
    any_operator.write(A, TWO_PAIRS.format("1/0"))
    with pytest.raises(StatementError):
        any_operator.migrate()
    assert any_operator.read_states() == {A: "interrupted"}
    assert any_operator.make_runner().get_applied_migrations() == []
    text = TWO_PAIRS.format("1")
    any_operator.write(A, text)
    events = any_operator.migrate()
    assert [event.done for event in pick(events, StepStarted)] == [2]
    assert [row[2] for row in read_rows(any_operator)] == [hashlib.sha256(text.encode()).hexdigest()]
    assert any_operator.read_states() == {A: "applied"}


def test_a_down_file_that_deletes_its_row_too_early_is_interrupted_when_it_fails(any_operator: Operator) -> None:
    delete = f"DELETE FROM schema_migrations WHERE version = '{A}';"
    any_operator.write(A, "CREATE TABLE a ();", f"BEGIN; DROP TABLE a; {delete} COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    any_operator.migrate()
    with pytest.raises(StatementError):
        any_operator.roll_back()
    assert any_operator.read_states() == {A: "interrupted"}
    any_operator.project.write_down(A, f"BEGIN; DROP TABLE a; {delete} COMMIT; BEGIN; SELECT 1; COMMIT;")
    assert list_done(any_operator.roll_back()) == [A]
    assert any_operator.read_states() == {A: "pending"}


def test_a_down_file_after_the_template_rolls_back(any_operator: Operator) -> None:
    any_operator.write(A, TEMPLATE, f"BEGIN;\nDROP TABLE a;\nDELETE FROM schema_migrations WHERE version = '{A}';\nCOMMIT;")
    any_operator.write_tables(B)
    any_operator.migrate()
    assert list_done(any_operator.roll_back(steps=2)) == [B, A]
    assert (any_operator.read_tables(), any_operator.read_applied()) == ([], [])
