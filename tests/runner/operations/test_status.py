"""The status of every version."""

from collections.abc import Callable

import pytest

from tasks.console import describe
from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import HistoryRead, StatusRead, needs_attention
from tasks.runner.identity import Identity
from tasks.runner.operations.history import read_history
from tasks.runner.operations.migrate import rollback
from tasks.runner.planning.choice import RollbackGoal
from tests.runner.operating import A, B, C, Operator, collect_failure
from tests.stress.blocking import await_waiting

BREAKS_OFF = "BEGIN; CREATE TABLE c (); COMMIT; BEGIN; SELECT 1/0; COMMIT;"


def apply_both(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()


def leave_pending(operator: Operator) -> None:
    apply_both(operator)
    operator.write_tables(C)


def leave_late(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.write_tables(A)


def edit(operator: Operator) -> None:
    apply_both(operator)
    operator.write(A, "CREATE TABLE a (id bigint);")


def lose(operator: Operator) -> None:
    apply_both(operator)
    operator.remove(A)


def break_off_migrating(operator: Operator) -> None:
    apply_both(operator)
    operator.write(C, BREAKS_OFF)
    with pytest.raises(StatementError):
        operator.migrate()


def break_off_rolling_back(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, "CREATE TABLE b (); CREATE TABLE c ();", BREAKS_OFF.replace("CREATE", "DROP").replace("c ()", "c"))
    operator.migrate()
    with pytest.raises(StatementError):
        operator.roll_back()


@pytest.mark.parametrize(
    ("prepare", "states"),
    [
        (apply_both, {A: "applied", B: "applied"}),
        (leave_pending, {A: "applied", B: "applied", C: "pending"}),
        (leave_late, {A: "late", B: "applied"}),
        (edit, {A: "edited", B: "applied"}),
        (lose, {A: "missing", B: "applied"}),
        (break_off_migrating, {A: "applied", B: "applied", C: "interrupted"}),
        (break_off_rolling_back, {A: "applied", B: "interrupted"}),
    ],
)
def test_each_version_has_a_state_and_a_check_finds_all_but_applied(
    any_operator: Operator, prepare: Callable[[Operator], None], states: dict[str, str]
) -> None:
    prepare(any_operator)
    status = any_operator.read_status()
    assert {row.version: row.state for row in status.rows} == states
    assert [row.version for row in status.rows] == sorted(states, key=lambda version: (states[version] == "late", version))
    assert status.total == len(states)
    assert needs_attention(status) == (prepare is not apply_both)


@pytest.mark.parametrize(
    ("prepare", "finding"),
    [
        (leave_late, ("late", A)),
        (edit, ("edited", A)),
        (lose, ("missing", A)),
        (break_off_rolling_back, ("interrupted", B)),
    ],
)
def test_what_a_run_would_notice_is_a_finding(
    operator: Operator, prepare: Callable[[Operator], None], finding: tuple[str, str]
) -> None:
    prepare(operator)
    assert [(found.kind, found.version) for found in operator.read_status().findings] == [finding]


def test_a_row_shows_who_applied_it_when_and_how_long_it_took(any_operator: Operator) -> None:
    any_operator.database.execute(f"ALTER DATABASE {any_operator.database.name} SET timezone = 'Asia/Tokyo'")
    any_operator.write_tables(A)
    any_operator.migrate(identity=Identity(actor="ada"))
    ((moment, took),) = any_operator.database.query(
        'SELECT to_char(applied_at, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\'), execution_time_ms FROM schema_migrations'
    )
    (row,) = any_operator.read_status().rows
    assert (row.applied_by, row.applied_at, row.execution_time_ms, row.note) == ("ada", moment, took, "")


def test_a_file_that_failed_is_shown_as_failed_with_its_error_as_a_note(operator: Operator) -> None:
    operator.write(A, "SELECT 1/0;")
    with pytest.raises(StatementError):
        operator.migrate()
    (row,) = operator.read_status().rows
    assert (row.state, row.note) == ("failed", "last attempt failed: division by zero")


def test_a_failure_that_was_fixed_is_no_longer_shown(operator: Operator) -> None:
    operator.write(A, "SELECT 1/0;")
    with pytest.raises(StatementError):
        operator.migrate()
    operator.write(A, "SELECT 1;")
    operator.migrate()
    assert [(row.state, row.note) for row in operator.read_status().rows] == [("applied", "")]


def test_a_row_without_a_checksum_has_a_note(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute("UPDATE schema_migrations SET checksum = NULL")
    assert [(row.state, row.note) for row in operator.read_status().rows] == [("applied", "recorded without a checksum")]


def test_a_limit_shows_the_newest_and_counts_all(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.migrate(to=A)
    status = operator.read_status(limit=2)
    assert [row.version for row in status.rows] == [B, C]
    assert status.total == 3


def test_a_limit_leaves_out_applied_versions_only_and_counts_all(operator: Operator) -> None:
    apply_both(operator)
    operator.write(C, "SELECT 1/0;")
    with pytest.raises(StatementError):
        operator.migrate()
    operator.remove(A)
    status = operator.read_status(limit=1)
    assert [(row.version, row.state) for row in status.rows] == [(A, "missing"), (C, "failed")]
    assert {count.state: count.count for count in status.counts} == {"missing": 1, "applied": 1, "failed": 1}


@pytest.mark.parametrize("prepare", [leave_pending, leave_late, edit, lose, break_off_rolling_back])
def test_a_limit_hides_nothing_from_a_check(operator: Operator, prepare: Callable[[Operator], None]) -> None:
    prepare(operator)
    assert needs_attention(operator.read_status(limit=1))


def test_the_status_of_an_empty_database_creates_nothing(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    assert any_operator.read_states() == {A: "pending"}
    assert any_operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_the_status_names_the_database_and_its_environment(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="staging")
    status = operator.read_status()
    assert isinstance(status, StatusRead)
    assert (status.environment, status.format) == ("staging", 1)
    assert status.database.endswith(f"/{operator.database.name}")


def test_the_status_of_another_environment_refuses(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="staging")
    with pytest.raises(RefusedError, match="this run is for prod, but the database belongs to staging"):
        operator.read_status(environment="prod")


def test_a_run_in_progress_is_shown_with_its_migration_its_statement_and_what_it_waits_for(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "CREATE TABLE b (id int);\nALTER TABLE a\n  ADD COLUMN password text DEFAULT 'geheim';")
    with operator.database.connect(autocommit=False) as blocker:
        blocker.execute("SELECT FROM a")
        operator.project.start("migrate", env={"MIGRATE_ACTOR": "ada", "LOCK_TIMEOUT": "60s"})
        await_waiting(operator.database, "ALTER TABLE a%")
        run = operator.read_status().run
        assert run is not None
        assert (run.action, run.actor, run.version) == ("migrate", "ada", B)
        assert run.statement.startswith("ALTER TABLE a ADD COLUMN password text DEFAULT ")
        assert "geheim" not in run.statement
        assert run.blocked_by == (blocker.info.backend_pid,)
        shown = operator.project.inv("db.status", check=0).stdout
        assert f"Waits for pid {blocker.info.backend_pid}: see inv db.blockers --env=local" in shown
        blocker.rollback()


def test_the_session_that_has_the_lock_of_runs_is_shown_if_it_is_not_a_run(operator: Operator) -> None:
    with operator.database.connect(application_name="other", autocommit=False) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        run = operator.read_status().run
        assert run is not None
        assert (run.run_id, run.action, run.actor, run.pid) == ("", "", "postgres", other.info.backend_pid)
        shown = operator.project.migrate("status", check=0).stdout
    assert "A session that is not a run of this tool has the lock of runs: pid " in shown


def test_with_a_limit_an_applied_version_whose_rollback_failed_is_shown(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a ();", "DROP TABLE missing;")
    operator.write_tables(B, C)
    operator.migrate()
    operator.roll_back(steps=2)
    collect_failure(rollback(operator.make_runner(), RollbackGoal()))
    operator.migrate()
    status = operator.read_status(limit=1)
    assert [row.version for row in status.rows] == [A, C]
    assert [(each.state, each.count) for each in status.counts] == [("applied", 3)]


def test_the_history_counts_all_rows_whatever_the_limit(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    (history,) = read_history(operator.make_runner(), limit=2)
    assert isinstance(history, HistoryRead)
    assert (len(history.rows), history.total) == (2, 4)
    assert "2 of 4 log rows, newest first" in describe(history)[0]
