"""Effects of migrate on a database: which files run, in which transactions, and when none does."""

import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, StatementError, UsageError
from tasks.runner.events import FilesFound, NoticeRaised, PlanMade, RunFinished, RunStarted, Skipped, StepFailed
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick


def test_every_pending_file_runs_in_the_order_of_its_name(any_operator: Operator) -> None:
    any_operator.write(B, "INSERT INTO a VALUES (2);")
    any_operator.write(A, "CREATE TABLE a (id serial, n int);\nINSERT INTO a (n) VALUES (1);")
    any_operator.write(C, "UPDATE a SET n = n * 10;")
    assert list_done(any_operator.migrate()) == [A, B, C]
    assert any_operator.database.query("SELECT * FROM a ORDER BY id") == [(1, 10), (2, None)]
    assert any_operator.read_applied() == [A, B, C]


def test_an_applied_file_does_not_run_again(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    any_operator.migrate(to=A)
    events = any_operator.migrate()
    assert list_done(events) == [B]
    assert pick(events, Skipped) == [Skipped((A,))]
    assert list_done(any_operator.migrate()) == []


def test_a_run_yields_what_it_found_planned_and_did(operator: Operator) -> None:
    operator.write_tables(A, B)
    events = operator.migrate(environment="local")
    started, found, planned, *_, finished = events
    assert isinstance(started, RunStarted)
    assert (started.action, started.environment, started.format) == ("migrate", "local", 1)
    assert operator.database.name in started.database
    assert found == FilesFound(2)
    assert isinstance(planned, PlanMade)
    assert isinstance(finished, RunFinished)
    assert (finished.action, finished.steps, finished.dry_run) == ("migrate", 2, False)


@pytest.mark.parametrize("to", [B, f"{B}.sql", "20250102000000", "20250102"])
def test_a_run_stops_after_the_version_that_to_names(operator: Operator, to: str) -> None:
    operator.write_tables(A, B, C)
    assert list_done(operator.migrate(to=to)) == [A, B]
    assert operator.read_states() == {A: "applied", B: "applied", C: "pending"}


def test_a_run_to_an_applied_version_does_nothing(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.migrate(to=B)
    assert list_done(operator.migrate(to=A)) == []


def test_a_run_to_an_unknown_version_changes_nothing(operator: Operator) -> None:
    operator.write_tables(A)
    with pytest.raises(UsageError, match="there is no version 2024"):
        operator.migrate(to="2024")
    assert operator.read_tables() == []


def test_a_late_file_runs_and_is_named(operator: Operator) -> None:
    operator.write_tables(A, C)
    operator.migrate()
    operator.write_tables(B)
    events = operator.migrate()
    assert list_done(events) == [B]
    (finding,) = pick(events, PlanMade)[0].findings
    assert (finding.kind, finding.version, finding.refuses) == ("late", B, False)
    assert finding.message == f"is older than {C}, which is already applied; it runs anyway (--strict refuses it)"


def test_strict_refuses_a_late_file(operator: Operator) -> None:
    operator.write_tables(A, C)
    operator.migrate(strict=True)
    operator.write_tables(B)
    with pytest.raises(RefusedError, match=f"{B} is older than {C}") as refused:
        operator.migrate(strict=True)
    assert refused.value.state == "Nothing was changed."
    assert operator.read_tables() == ["a", "c"]


def test_an_edited_file_stops_the_run_and_is_shown_as_a_diff(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);")
    operator.write_tables(B)
    runner = operator.make_runner()
    with pytest.raises(RefusedError, match=f"{A} differs from the text that was applied") as refused:
        runner.run_migrations()
    assert "inv db.repair" in refused.value.hint
    (finding,) = operator.read_status().findings
    assert finding.diff.splitlines()[3:] == ["-CREATE TABLE a (id int);", "+CREATE TABLE a (id bigint);"]
    assert operator.read_tables() == ["a"]


def test_a_missing_file_is_named_and_stops_nothing(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate(to=A)
    operator.remove(A)
    events = operator.migrate()
    assert list_done(events) == [B]
    assert [(finding.kind, finding.version) for finding in pick(events, PlanMade)[0].findings] == [("missing", A)]


def test_a_statement_that_fails_rolls_back_its_file(any_operator: Operator) -> None:
    any_operator.write_tables(A, C)
    any_operator.write(B, "CREATE TABLE b ();\nINSERT INTO a VALUES (1);\n\nSELECT 1/0;")
    with pytest.raises(StatementError, match="division by zero") as failed:
        any_operator.migrate()
    assert any_operator.read_tables() == ["a"]
    assert any_operator.database.query("SELECT * FROM a") == []
    assert any_operator.read_applied() == [A]
    assert (failed.value.sqlstate, failed.value.place and failed.value.place.line) == ("22012", 4)
    assert failed.value.state == f"{B} was rolled back completely. 1 earlier migration of this run stays applied."


def test_a_failed_step_is_an_event_before_the_error(operator: Operator) -> None:
    operator.write(A, "DO $$ BEGIN RAISE NOTICE 'so far'; RAISE 'no further'; END $$;")
    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert events[-2:] == [NoticeRaised(A, "NOTICE", "so far"), StepFailed("migrate", A, "no further")]
    assert error.message.startswith("no further")


def test_a_file_and_its_row_are_one_transaction(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    any_operator.migrate()
    (table,), (row,), (script,), (log,) = any_operator.database.query(
        "SELECT xmin::text FROM pg_class WHERE relname = 'a' UNION ALL SELECT xmin::text FROM schema_migrations"
        " UNION ALL SELECT xmin::text FROM schema_migrations_scripts"
        " UNION ALL SELECT xmin::text FROM schema_migrations_log WHERE version IS NOT NULL"
    )
    assert table == row == script == log


def test_a_deferred_check_rolls_back_the_row_too(any_operator: Operator) -> None:
    deferred = "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);"
    any_operator.write(A, f"{deferred}\nINSERT INTO a VALUES (1, 2);")
    with pytest.raises(StatementError, match="violates foreign key"):
        any_operator.migrate()
    assert (any_operator.read_tables(), any_operator.read_applied()) == ([], [])


def test_the_settings_of_a_file_are_reset_for_the_ledger_and_for_the_next_file(any_operator: Operator) -> None:
    any_operator.write(
        A,
        "CREATE SCHEMA other; SET search_path = other; SET lock_timeout = '9s'; CREATE TEMP TABLE t ();"
        " SELECT pg_advisory_lock(1); SET ROLE pg_monitor;",
    )
    seen = "current_setting('search_path'), current_user = session_user, to_regclass('t'), current_setting('lock_timeout')"
    locks = "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
    any_operator.write(B, f"CREATE TABLE b (path, ourselves, temporary, timeout, locks) AS SELECT {seen}, {locks};")
    any_operator.migrate()
    assert any_operator.database.query("TABLE b") == [('"$user", public', True, None, "1min", 0)]
    assert any_operator.read_applied() == [A, B]


def test_only_a_file_of_several_transactions_waits_for_the_disk(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    any_operator.migrate()
    database = any_operator.database
    database.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = on")
    database.execute("ALTER TABLE schema_migrations ADD COLUMN waits text")
    database.execute("ALTER TABLE schema_migrations ALTER COLUMN waits SET DEFAULT current_setting('synchronous_commit')")
    any_operator.write(B, "SELECT 1;")
    any_operator.write(C, "SELECT 1;\nVACUUM pg_class;")
    any_operator.migrate()
    assert database.query("SELECT version, waits FROM schema_migrations ORDER BY 1") == [(A, None), (B, "off"), (C, "on")]


def test_a_notice_of_the_server_is_passed_on(operator: Operator) -> None:
    operator.write(A, "DO $$ BEGIN RAISE NOTICE 'here we are'; END $$;")
    assert pick(operator.migrate(), NoticeRaised) == [NoticeRaised(A, "NOTICE", "here we are")]


def test_nothing_pending_takes_no_lock(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute(f"SELECT pg_advisory_lock({LOCK_KEY})")
    assert list_done(operator.migrate()) == []


def test_no_files_leave_an_empty_database_empty(operator: Operator) -> None:
    operator.migrate()
    assert operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_a_flat_folder_is_read_as_up_files(operator: Operator) -> None:
    for folder in ("up", "down"):
        (operator.project.migrations / folder).rmdir()
    for name in (A, f"_{B}", C):
        (operator.project.migrations / f"{name}.sql").write_text(f"CREATE TABLE {name[-1]} ();")
    assert list_done(operator.migrate()) == [A, C]


def test_a_run_for_another_environment_refuses(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    any_operator.migrate(to=A, environment="prod")
    with pytest.raises(RefusedError, match="this run is for staging, but the database belongs to prod"):
        any_operator.migrate(environment="staging")
    assert any_operator.read_states() == {A: "applied", B: "pending"}
    assert list_done(any_operator.migrate(environment="prod")) == [B]
