"""Statements that cannot run in a transaction: the text shows it, or the server refuses them and the file is divided."""

import pytest

from tasks.runner import MigrationRunner
from tasks.runner.errors import StatementError
from tasks.runner.events import NoticeRaised, StatementStarted, StepStarted
from tasks.runner.parsing import ScriptError
from tests.kit.poolers import Pooler
from tests.runner.operating import A, Operator, list_done, pick

CLUSTERS_PARTITIONED_SINCE = 150000
HEADER = "-- migrate: no-transaction\n"
PROCEDURE = "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trace VALUES ('work'); COMMIT; {} END $$;"
PARTITIONED = """
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part DEFAULT;
CREATE INDEX part_id ON part (id);
"""


@pytest.fixture
def tracing(any_operator: Operator) -> Operator:
    """Return an operator whose database has a table for traces, and a procedure that commits."""
    any_operator.database.execute(f"CREATE TABLE trace (step text); {PROCEDURE.format('')}")
    return any_operator


def read_trace(operator: Operator) -> list[str]:
    return [row[0] for row in operator.database.query("SELECT step FROM trace")]


def fail(operator: Operator, text: str) -> StatementError:
    operator.write(A, text)
    with pytest.raises(StatementError) as failed:
        operator.migrate()
    return failed.value


def test_a_block_that_commits_runs_without_a_directive(tracing: Operator) -> None:
    error = fail(
        tracing,
        "INSERT INTO trace VALUES ('before');\n"
        "DO $$ BEGIN FOR i IN 1..2 LOOP INSERT INTO trace VALUES (i); COMMIT; END LOOP; END $$;\nSELECT 1/0;",
    )
    assert error.state == f"2 of 3 segments of {A} are committed; the next run resumes after them."
    assert read_trace(tracing) == ["before", "1", "2"]


@pytest.mark.parametrize("call", ["CALL work();", "DO $$ BEGIN CALL work(); END $$;"])
@pytest.mark.parametrize("header", ["", HEADER])
def test_a_procedure_of_the_database_that_commits_runs_without_a_directive(header: str, call: str, tracing: Operator) -> None:
    tracing.write(A, f"{header}INSERT INTO trace VALUES ('before');\n{call}\nINSERT INTO trace VALUES ('after');")
    events = tracing.migrate()
    assert list_done(events) == [A]
    assert read_trace(tracing) == ["before", "work", "after"]
    notices = [notice.message for notice in pick(events, NoticeRaised)]
    assert notices == (
        []
        if header
        else [
            "line 2 cannot run in a transaction (invalid transaction termination), so it runs outside of one; "
            "the other statements of the file run in 2 transactions"
        ]
    )


def test_a_later_run_resumes_a_file_that_was_divided(tracing: Operator) -> None:
    text = "INSERT INTO trace VALUES ('before');\nCALL work();\nSELECT 1/{};"
    error = fail(tracing, text.format(0))
    assert error.state == f"2 of 3 segments of {A} are committed; the next run resumes after them."
    tracing.write(A, text.format(1))
    events = tracing.migrate()
    assert [(started.statements, started.done) for started in pick(events, StepStarted)] == [(3, 2)]
    assert read_trace(tracing) == ["before", "work"]
    log = tracing.database.query(
        "SELECT outcome, segments_done, segments_total, starts_with(note, 'outside a transaction: statement 2 (')"
        " FROM schema_migrations_log WHERE version = %s ORDER BY id",
        A,
    )
    assert log == [
        ("started", 0, 3, True),
        ("started", 1, 3, True),
        ("started", 2, 3, True),
        ("failed", 2, 3, True),
        ("resumed", 2, 3, True),
        ("finished", 3, 3, True),
    ]


def test_a_procedure_that_fails_after_its_commit_is_run_again_alone(tracing: Operator) -> None:
    tracing.database.execute(f"CREATE OR REPLACE {PROCEDURE.format('PERFORM 1/0;').removeprefix('CREATE ')}")
    error = fail(tracing, "INSERT INTO trace VALUES ('before');\nCALL work();")
    assert "1 of 2 segments" in error.state
    assert "CALL work() may have committed a part of its work; the next run runs it again." in error.state
    tracing.database.execute(f"CREATE OR REPLACE {PROCEDURE.format('').removeprefix('CREATE ')}")
    events = tracing.migrate()
    assert [event.text for event in pick(events, StatementStarted)] == ["CALL work()"]
    assert read_trace(tracing) == ["before", "work", "work"]


def test_a_statement_that_was_replaced_shares_a_transaction_with_its_record(tracing: Operator) -> None:
    tracing.database.execute(f"CREATE OR REPLACE {PROCEDURE.format('PERFORM 1/0;').removeprefix('CREATE ')}")
    fail(tracing, "INSERT INTO trace VALUES ('before');\nCALL work();")
    tracing.write(A, "INSERT INTO trace VALUES ('before');\nINSERT INTO trace VALUES (pg_current_xact_id()::text);")
    tracing.migrate()
    assert read_trace(tracing)[:2] == ["before", "work"]
    same = "SELECT FROM trace t, schema_migrations l WHERE t.step = l.xmin::text"
    assert len(tracing.database.query(same)) == 1


@pytest.mark.parametrize(
    "statement", ["REINDEX TABLE part", "REINDEX INDEX part_id", "CLUSTER part USING part_id"], ids=lambda text: text.split()[1]
)
@pytest.mark.parametrize("header", ["", HEADER])
def test_what_the_server_refuses_in_a_transaction_runs_outside(header: str, statement: str, any_operator: Operator) -> None:
    with any_operator.database.connect() as connection:
        if statement.startswith("CLUSTER") and connection.info.server_version < CLUSTERS_PARTITIONED_SINCE:
            pytest.skip("this server cannot cluster a partitioned table")
    any_operator.database.execute(PARTITIONED)
    any_operator.write(A, f"{header}CREATE TABLE a (id int);\n{statement};\nCREATE TABLE b (id int);")
    events = any_operator.migrate()
    assert list_done(events) == [A]
    assert any_operator.read_tables() == ["a", "b", "part1"]
    (notice,) = [event for event in pick(events, NoticeRaised) if "line 2" in event.message or "line 3" in event.message]
    assert "cannot run inside a transaction block), so it runs outside of one" in notice.message


def test_a_rollback_is_divided_too(tracing: Operator) -> None:
    tracing.write(A, "CREATE TABLE a (id int);", "DROP TABLE a;\nCALL work();\nINSERT INTO trace VALUES ('after');")
    tracing.migrate()
    tracing.roll_back()
    assert read_trace(tracing) == ["work", "after"]
    assert tracing.read_applied() == []


def test_a_transaction_of_the_file_is_not_divided(tracing: Operator) -> None:
    error = fail(tracing, "BEGIN;\nINSERT INTO trace VALUES ('before');\nCALL work();\nCOMMIT;")
    assert "End the transaction of the file before it" in error.hint
    assert error.state == f"{A} was rolled back completely."
    assert read_trace(tracing) == []
    tracing.write(A, "BEGIN;\nDO $$ BEGIN COMMIT; END $$;\nCOMMIT;")
    with pytest.raises(ScriptError, match="cannot run in the transaction that line 1 begins"):
        tracing.migrate()


def test_a_seed_is_not_divided(tracing: Operator) -> None:
    tracing.project.write_seed("001_work", "INSERT INTO trace VALUES ('before');\nCALL work();")
    with pytest.raises(StatementError) as failed:
        tracing.seed()
    assert "A seed runs in one transaction." in failed.value.hint
    assert read_trace(tracing) == []


@pytest.mark.parametrize("header", ["", HEADER])
@pytest.mark.parametrize(
    ("text", "sqlstate", "hint"),
    [
        ("DO $$ BEGIN EXECUTE 'CREATE INDEX CONCURRENTLY i ON a (id)'; END $$;", "25001", "a statement of its own"),
        ("DO $$ BEGIN BEGIN COMMIT; EXCEPTION WHEN others THEN RAISE; END; END $$;", "2D000", "inside a block with EXCEPTION"),
        ("SELECT commits();", "2D000", "not through a function"),
        ("SET TRANSACTION READ ONLY; CREATE TABLE b ();", "25006", "Line {line} makes the transaction read-only"),
        ("SELECT set_config('transaction_read_only', 'on', false);", "25006", "Line {line} makes the transaction read-only"),
        ("BEGIN READ ONLY; SELECT 1; COMMIT;", "25006", "The file makes its transaction read-only: BEGIN READ ONLY."),
    ],
)
def test_a_hint_suggests_only_what_can_help(header: str, text: str, sqlstate: str, hint: str, operator: Operator) -> None:
    operator.database.execute(
        "CREATE TABLE a (id int); CREATE FUNCTION commits() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; RETURN 1; END $$"
    )
    if header and "TRANSACTION READ ONLY" in text:
        pytest.skip("outside a transaction, SET TRANSACTION has no effect")
    error = fail(operator, header + text)
    assert error.sqlstate == sqlstate
    assert hint.format(line=2 if header else 1) in error.hint
    assert "no-transaction" not in error.hint
    assert "primary" not in error.hint


def test_a_late_change_of_the_mode_of_a_transaction_is_an_error(operator: Operator) -> None:
    error = fail(operator, "CREATE TABLE a (id int);\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;")
    assert "move the statement to the top of the file" in error.hint
    assert operator.read_tables() == []


def test_behind_a_pooler_settings_keep_a_file_in_one_transaction(operator: Operator, pgbouncer: Pooler) -> None:
    operator.database.execute(f"CREATE TABLE trace (step text); {PROCEDURE.format('')}")
    operator.write(A, "SET search_path = public;\nCALL work();")
    runner = MigrationRunner(pgbouncer.url, migrations_dir=operator.project.migrations, watch_drift=False)
    with pytest.raises(StatementError) as failed:
        runner.run_migrations()
    assert "DIRECT_DATABASE_URL" in failed.value.hint
    assert read_trace(operator) == []
