"""The runner as other Python code uses it, with the method names of the strategy document."""

import gc
import threading
from pathlib import Path

import pytest

from tasks.runner import MigrationRunner
from tasks.runner.errors import FilesError, RefusedError, StatementError, UsageError
from tasks.runner.events import StepFinished, StepStarted
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, C, Operator, pick


def count_descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def await_end_of_sessions(operator: Operator) -> None:
    """Wait until only our own session is left: the server ends a session a moment after its client is gone."""
    others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    query = f"SELECT FROM pg_stat_activity WHERE {others}"
    wait_until(lambda: not operator.database.query(query), what="the end of all other sessions")


@pytest.fixture
def flat(operator: Operator, tmp_path: Path) -> Path:
    """Return a flat folder of up files, as the strategy document has it."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for version in (A, B):
        (folder / f"{version}.sql").write_text(f"CREATE TABLE {version[-1]} ();")
    return folder


def test_a_url_is_all_that_a_runner_needs(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.write_tables(A, B)
    monkeypatch.chdir(operator.project.root)
    assert MigrationRunner(operator.database.url).run_migrations() == [A, B]
    assert operator.read_tables() == ["a", "b"]


def test_the_methods_of_the_strategy_document_work_together(operator: Operator, flat: Path) -> None:
    runner = MigrationRunner(operator.database.url)
    runner.ensure_migration_table()
    assert runner.get_applied_migrations() == []
    assert runner.apply_migration(str(flat / f"{B}.sql"))
    assert runner.get_applied_migrations() == [B]
    assert runner.run_migrations(str(flat)) == [A]
    assert runner.get_applied_migrations() == [A, B]
    assert runner.run_migrations(flat) == []


def test_ensuring_the_table_can_be_repeated(any_operator: Operator) -> None:
    for _ in range(2):
        any_operator.make_runner().ensure_migration_table()
    assert any_operator.read_states() == {}
    assert any_operator.read_log() == []


def test_an_empty_database_has_no_applied_migrations(any_operator: Operator) -> None:
    assert any_operator.make_runner().get_applied_migrations() == []
    assert any_operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_one_file_can_be_applied_by_its_path(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    path = operator.project.migrations / "up" / f"{B}.sql"
    runner = operator.make_runner()
    assert runner.apply_migration(path)
    assert not runner.apply_migration(path)
    assert operator.read_tables() == ["b"]


@pytest.mark.parametrize("name", ["20250101000000_unknown.sql", "20250101.sql", f"_{A}.sql"])
def test_a_path_that_is_not_a_migration_is_wrong_usage(operator: Operator, name: str) -> None:
    operator.write_tables(A)
    with pytest.raises(UsageError, match="there is no migration file"):
        operator.make_runner().apply_migration(operator.project.migrations / "up" / name)
    assert operator.read_tables() == []


def test_a_folder_that_does_not_exist_is_refused(operator: Operator) -> None:
    with pytest.raises(FilesError, match="there is no migrations folder"):
        operator.make_runner().run_migrations(operator.project.root / "elsewhere")


def test_rolling_back_lists_the_versions_in_the_order_undone(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    runner = operator.make_runner()
    runner.run_migrations()
    assert runner.rollback() == [C]
    assert runner.rollback(to="0") == [B, A]
    assert runner.rollback(steps=2) == []


def test_rolling_back_fewer_than_one_step_is_wrong_usage(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    runner.run_migrations()
    with pytest.raises(UsageError):
        runner.rollback(steps=-1)
    assert operator.read_applied() == [A, B]


def test_running_a_plan_yields_its_events(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    events = list(runner.run(runner.prepare(MigrateGoal())))
    assert [type(event) for event in (events[0], events[-1])] == [StepStarted, StepFinished]
    assert [event.version for event in pick(events, StepFinished)] == [A, B]


def test_a_plan_that_refuses_cannot_be_run(operator: Operator) -> None:
    operator.write_tables(A)
    runner = operator.make_runner()
    runner.run_migrations()
    operator.write(A, "SELECT 1;")
    operator.write_tables(B)
    made = runner.prepare(MigrateGoal())
    with pytest.raises(RefusedError):
        list(runner.run(made))
    assert operator.read_applied() == [A]


def test_an_outdated_plan_runs_its_remaining_steps(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    made = runner.prepare(MigrateGoal())
    operator.migrate(to=A)
    assert [event.version for event in pick(runner.run(made), StepFinished)] == [B]


def test_a_runner_can_be_used_in_a_thread(operator: Operator) -> None:
    operator.write_tables(A)
    thread = threading.Thread(target=lambda: operator.make_runner().run_migrations())
    thread.start()
    thread.join()
    assert operator.read_applied() == [A]


def test_a_run_whose_events_are_no_longer_read_is_rolled_back_and_logged(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    events = runner.run(runner.prepare(MigrateGoal()))
    assert isinstance(next(events), StepStarted)
    events.close()  # type: ignore[attr-defined]
    assert operator.read_tables() == []
    assert operator.read_log() == [("migrate", "started", ""), ("migrate", "failed", A), ("migrate", "failed", "")]
    await_end_of_sessions(operator)
    assert runner.run_migrations() == [A, B]


def test_runners_leave_neither_descriptors_nor_sessions(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "SELECT 1/0;")
    before = count_descriptors()
    for _ in range(3):
        runner = operator.make_runner()
        with pytest.raises(StatementError):
            runner.run_migrations()
        runner.get_applied_migrations()
        del runner
    assert count_descriptors() == before
    await_end_of_sessions(operator)


def test_a_runner_that_was_never_used_leaves_nothing() -> None:
    before = count_descriptors()
    for _ in range(3):
        MigrationRunner("postgresql://nobody@localhost:1/nothing")
    assert count_descriptors() == before
