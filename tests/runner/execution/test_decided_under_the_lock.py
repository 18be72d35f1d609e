"""What to do is chosen under the lock: an overtaken plan is completed or refused, and never becomes another one."""

from collections.abc import Callable, Iterable

import pytest

from tasks.runner.errors import PlanChangedError, RefusedError
from tasks.runner.events import Event, PlanMade, RepairProposed, RunFinished
from tasks.runner.operations.migrate import RunMode, migrate
from tasks.runner.operations.repair import repair
from tasks.runner.operations.seed import seed
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick


def read_plan_id(events: Iterable[Event]) -> str:
    (made,) = pick(events, PlanMade)
    return made.plan_id


def test_a_plan_that_was_shown_runs_by_its_id(any_operator: Operator) -> None:
    any_operator.write_tables(A, B)
    assert list_done(any_operator.migrate(plan=read_plan_id(any_operator.migrate(dry_run=True)))) == [A, B]
    assert list_done(any_operator.roll_back(plan=read_plan_id(any_operator.roll_back(dry_run=True)))) == [B]
    any_operator.project.write_seed("001_one", "INSERT INTO a VALUES (1);")
    assert list_done(any_operator.seed(plan=read_plan_id(any_operator.seed(dry_run=True)))) == ["001_one"]


def test_an_empty_plan_has_an_id_too(operator: Operator) -> None:
    plan_id = read_plan_id(operator.migrate(dry_run=True))
    assert isinstance(operator.migrate(plan=plan_id)[-1], RunFinished)
    operator.write_tables(A)
    with pytest.raises(PlanChangedError):
        operator.migrate(plan=plan_id)


def apply_another(operator: Operator) -> None:
    operator.migrate(to=A)


def add_a_file(operator: Operator) -> None:
    operator.write_tables(C)


def edit_a_file(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b (id bigint);")


@pytest.mark.parametrize("change", [apply_another, add_a_file, edit_a_file])
def test_an_id_of_another_plan_is_refused_and_the_plan_is_shown(operator: Operator, change: Callable[[Operator], None]) -> None:
    operator.write_tables(A, B)
    plan_id = read_plan_id(operator.migrate(dry_run=True))
    change(operator)
    applied, now = operator.read_applied(), read_plan_id(operator.migrate(dry_run=True))
    for dry_run in (False, True):
        events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal(), RunMode(dry_run, plan_id)))
        assert (type(error), error.exit_code, error.state) == (PlanChangedError, 3, "Nothing was changed.")
        (made,) = pick(events, PlanMade)
        assert (made.plan_id, made.purpose) == (now, "changed")
        assert made.steps
    assert operator.read_applied() == applied


def test_a_rollback_by_its_id_does_not_undo_what_was_applied_after_it_was_shown(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    plan_id = read_plan_id(operator.roll_back(dry_run=True))
    operator.write_tables(C)
    operator.migrate()
    with pytest.raises(PlanChangedError):
        operator.roll_back(plan=plan_id)
    assert operator.read_applied() == [A, B, C]


def test_what_is_approved_is_planned_once_and_is_what_runs(operator: Operator) -> None:
    operator.write_tables(A, B)

    def overtake() -> None:
        operator.migrate(to=A)

    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal(), RunMode(approve=overtake)))
    assert isinstance(error, PlanChangedError)
    shown, now = pick(events, PlanMade)
    assert (shown.purpose, [step.version for step in shown.steps]) == ("confirm", [A, B])
    assert (now.purpose, [step.version for step in now.steps]) == ("changed", [B])
    assert operator.read_tables() == ["a"]
    assert list_done(migrate(operator.make_runner(), MigrateGoal(), RunMode(approve=lambda: None))) == [B]


def test_a_file_that_is_edited_while_its_plan_is_confirmed_runs_as_it_was_shown(operator: Operator) -> None:
    operator.write_tables(A)
    edit = RunMode(approve=lambda: operator.write(A, "CREATE TABLE edited ();"))
    assert list_done(migrate(operator.make_runner(), MigrateGoal(), edit)) == [A]
    assert operator.read_tables() == ["a"]


@pytest.mark.parametrize("steps", [1, 2])
def test_the_python_api_refuses_a_rollback_whose_choice_has_changed(operator: Operator, steps: int) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    runner = operator.make_runner()
    prepared = runner.prepare(RollbackGoal(steps=steps))
    operator.write_tables(C)
    operator.migrate()
    with pytest.raises(PlanChangedError, match=f"it was to roll back {B}.*; now to roll back {C}"):
        list(runner.run(prepared))
    assert operator.read_applied() == [A, B, C]


def test_a_stored_down_text_that_has_changed_is_refused(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    (operator.project.migrations / "down" / f"{A}.sql").unlink()
    runner = operator.make_runner()
    prepared = runner.prepare(RollbackGoal())
    operator.database.execute("UPDATE schema_migrations_scripts SET down_text = 'DROP TABLE a CASCADE'")
    with pytest.raises(RefusedError, match="the stored text is not one that this tool applied"):
        list(runner.run(prepared))
    assert operator.read_applied() == [A]


def test_another_stored_down_text_that_this_tool_applied_is_another_plan(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    down = operator.project.migrations / "down" / f"{A}.sql"
    down.unlink()
    prepared = operator.make_runner().prepare(RollbackGoal())
    down.write_text("DROP TABLE a;")
    operator.roll_back()
    down.write_text("DROP TABLE a CASCADE;")
    operator.migrate()
    down.unlink()
    with pytest.raises(PlanChangedError, match="it would run other texts"):
        list(operator.make_runner().run(prepared))
    assert operator.read_applied() == [A]


def begin_seeding(operator: Operator, *names: str) -> Iterable[Event]:
    """Write seeds that insert their number, and return the events of a run after its plan."""
    operator.write(A, "CREATE TABLE a (id int);")
    operator.migrate()
    for name in names:
        operator.project.write_seed(name, f"INSERT INTO a VALUES ({name[2]});")
    events = seed(operator.make_runner())
    assert next(event for event in events if isinstance(event, PlanMade)).steps
    return events


def test_a_seed_that_another_run_has_run_is_not_run_again(operator: Operator) -> None:
    overtaken = begin_seeding(operator, "001_one", "002_two")
    operator.seed()
    assert list_done(overtaken) == []
    assert operator.database.query("SELECT id FROM a ORDER BY 1") == [(1,), (2,)]


def test_a_seed_that_another_run_has_run_with_another_text_is_refused(operator: Operator) -> None:
    overtaken = begin_seeding(operator, "001_one")
    operator.project.write_seed("001_one", "INSERT INTO a VALUES (2);")
    operator.seed()
    with pytest.raises(RefusedError, match="001_one was just applied by another run, with a different text"):
        list(overtaken)
    assert operator.database.query("SELECT id FROM a") == [(2,)]


def edit_again(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id smallint);", "DROP TABLE a;")


def edit_the_down_file(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id bigint);", "DROP TABLE a CASCADE;")


def record_another(operator: Operator) -> None:
    operator.database.execute("UPDATE schema_migrations SET checksum = 'another'")


@pytest.mark.parametrize("change", [edit_again, edit_the_down_file, record_another])
def test_a_repair_writes_only_what_was_shown(operator: Operator, change: Callable[[Operator], None]) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);", "DROP TABLE a;")
    before = operator.database.query("SELECT up_text, down_text FROM schema_migrations_scripts")

    def confirm(_proposal: RepairProposed) -> bool:
        change(operator)
        return True

    with pytest.raises(PlanChangedError, match=f"not what was confirmed: record checksum:{A}"):
        operator.repair(confirm)
    assert operator.database.query("SELECT up_text, down_text FROM schema_migrations_scripts") == before
    assert isinstance(operator.repair()[-1], RunFinished)


def test_a_confirmed_change_that_is_not_proposed_any_more_is_refused(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    with pytest.raises(PlanChangedError, match=f"drop row:{A}"):
        list(repair(operator.make_runner(), None, agreed=[f"drop row:{A}"]))
    operator.remove(A)
    list(repair(operator.make_runner(), None, agreed=[f"drop row:{A}"]))
    assert operator.read_applied() == []


def test_of_two_first_runs_for_two_environments_the_second_is_refused(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner(environment="prod")
    prepared = runner.prepare(MigrateGoal())
    operator.migrate(environment="staging", to=A)
    with pytest.raises(RefusedError, match="this run is for prod, but the database belongs to staging"):
        list(runner.run(prepared))
    assert operator.read_applied() == [A]


def test_a_text_that_another_run_applied_in_the_meantime_is_refused(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    prepared = runner.prepare(MigrateGoal())
    operator.write(A, "CREATE TABLE a (id bigint);")
    operator.migrate(to=A)
    with pytest.raises(RefusedError, match=f"{A} was just applied by another run, with a different text"):
        list(runner.run(prepared))
    assert operator.read_tables() == ["a"]


def test_a_refused_run_leaves_a_new_database_as_it_was(operator: Operator) -> None:
    operator.write_tables(A, B)
    runner = operator.make_runner()
    prepared = runner.prepare(MigrateGoal())
    operator.migrate()
    operator.roll_back(steps=2)
    operator.database.execute("DROP TABLE schema_migrations_scripts")
    operator.database.execute("INSERT INTO schema_migrations (version) VALUES (%s)", A)
    with pytest.raises(RefusedError):
        list(runner.run(prepared))
    assert operator.database.query("SELECT to_regclass('schema_migrations_scripts')") == [(None,)]
