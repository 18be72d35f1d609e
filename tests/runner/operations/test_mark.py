"""Mark: the ledger records a migration as applied, or not, and no statement of it runs."""

import pytest

from tasks.runner.errors import PlanChangedError, RefusedError, UsageError
from tasks.runner.events import Event, Finding, RepairProposed, RunFinished
from tasks.runner.operations.mark import mark
from tasks.runner.operations.migrate import migrate, rollback
from tasks.runner.planning.choice import MigrateGoal, RollbackGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator, collect_failure, pick

HALF = "BEGIN; CREATE TABLE b (id int); COMMIT; BEGIN; SELECT 1/0; COMMIT;"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with three migrations, of which A is applied."""
    operator = Operator(project, database, watch_drift=True)
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B, C)
    return operator


def run(operator: Operator, name: str, *, unmark: bool = False, yes: bool = True) -> list[Event]:
    return list(mark(operator.make_runner(), name, lambda _: yes, unmark=unmark))


def fail(operator: Operator, name: str, *, unmark: bool = False) -> Exception:
    return collect_failure(mark(operator.make_runner(), name, lambda _: True, unmark=unmark))[1]


def apply_half(operator: Operator, version: str = B) -> None:
    operator.write(version, HALF, "DROP TABLE b;")
    collect_failure(migrate(operator.make_runner(), MigrateGoal(to=version)))


def test_a_pending_migration_is_recorded_and_not_run(operator: Operator) -> None:
    run(operator, B)
    assert operator.read_states() == {A: "applied", B: "applied", C: "pending"}
    assert operator.read_tables() == ["a"]
    assert "mark" in [row.action for row in operator.read_history(version=B)]


def test_the_beginning_of_a_version_is_enough(operator: Operator) -> None:
    run(operator, B[:14])
    assert operator.read_applied() == [A, B]


def test_a_marked_migration_can_be_rolled_back(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE b (id int)")
    run(operator, B)
    operator.remove(B)
    operator.roll_back()
    assert operator.read_tables() == ["a"]


def test_a_removed_record_makes_the_migration_pending(operator: Operator) -> None:
    run(operator, A, unmark=True)
    assert operator.read_states() == {A: "pending", B: "pending", C: "pending"}
    assert operator.read_tables() == ["a"]


def test_the_record_of_a_missing_file_can_be_removed(operator: Operator) -> None:
    operator.remove(A)
    run(operator, A, unmark=True)
    assert operator.read_applied() == []


@pytest.mark.parametrize("unmark", [False, True])
def test_the_schema_counts_as_not_compared_afterwards(operator: Operator, unmark: bool) -> None:
    run(operator, A if unmark else B, unmark=unmark)
    assert find_kinds(operator) == ["not compared"]


def find_kinds(operator: Operator) -> list[str]:
    findings: tuple[Finding, ...] = operator.read_status(watch_drift=True).findings
    return [finding.kind for finding in findings if finding.kind in ("not compared", "drifted")]


def test_a_new_ledger_counts_as_not_compared(project: Project, database: Database) -> None:
    operator = Operator(project, database, watch_drift=True)
    operator.write_tables(A, B)
    database.execute("CREATE TABLE a (id int)")
    run(operator, A)
    operator.migrate()
    assert operator.read_tables() == ["a", "b"]
    assert find_kinds(operator) == ["not compared"]


@pytest.mark.parametrize(("name", "unmark"), [(A, False), (B, True)])
def test_what_is_recorded_already_is_not_asked(operator: Operator, name: str, unmark: bool) -> None:
    before = operator.read_log()
    events = list(mark(operator.make_runner(), name, None, unmark=unmark))
    assert not pick(events, RepairProposed)
    assert pick(events, RunFinished)[0].steps == 0
    assert operator.read_log() == before


@pytest.mark.parametrize("unmark", [False, True])
@pytest.mark.parametrize("name", ["20990101000000_unknown", "", "2025"])
def test_an_unknown_version_is_wrong_usage(operator: Operator, name: str, unmark: bool) -> None:
    assert isinstance(fail(operator, name, unmark=unmark), UsageError)


def test_without_a_way_to_ask_it_is_refused(operator: Operator) -> None:
    seen, failure = collect_failure(mark(operator.make_runner(), B, None))
    assert isinstance(failure, RefusedError)
    assert pick(seen, RepairProposed)
    assert operator.read_applied() == [A]


def test_what_is_not_confirmed_is_not_written(operator: Operator) -> None:
    run(operator, B, yes=False)
    assert operator.read_applied() == [A]


def test_a_failed_migration_can_be_marked(operator: Operator) -> None:
    operator.write(B, "SELECT 1/0;")
    collect_failure(migrate(operator.make_runner(), MigrateGoal(to=B)))
    (proposal,) = pick(run(operator, B), RepairProposed)
    assert "last attempt failed: division by zero" in proposal.message
    assert operator.read_states()[B] == "applied"


def test_a_half_applied_migration_can_be_marked(operator: Operator) -> None:
    apply_half(operator)
    (proposal,) = pick(run(operator, B), RepairProposed)
    assert "1 of 2 segments are committed" in proposal.message
    assert operator.read_states()[B] == "applied"
    operator.migrate()
    assert operator.read_states()[C] == "applied"


def test_the_record_of_a_half_applied_migration_is_refused(operator: Operator) -> None:
    apply_half(operator)
    failure = fail(operator, B, unmark=True)
    assert isinstance(failure, RefusedError)
    assert "inv db.repair" in failure.hint


@pytest.mark.parametrize("unmark", [False, True])
def test_a_half_reverted_migration(operator: Operator, unmark: bool) -> None:
    operator.write(A, "CREATE TABLE a (id int);", HALF)
    collect_failure(rollback(operator.make_runner(), RollbackGoal()))
    if unmark:
        run(operator, A, unmark=True)
        assert operator.read_states()[A] == "pending"
    else:
        assert isinstance(fail(operator, A), RefusedError)


def test_an_edited_file_is_refused(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id bigint);")
    failure = fail(operator, A)
    assert isinstance(failure, RefusedError)
    assert "inv db.repair" in failure.hint


def test_an_older_one_is_named_as_such_and_has_its_place_in_the_history(operator: Operator) -> None:
    operator.migrate()
    run(operator, B, unmark=True)
    (proposal,) = pick(run(operator, B), RepairProposed)
    assert f"older than {C}" in proposal.message
    assert operator.read_applied() == [A, B, C]


def test_another_environment_is_refused(operator: Operator) -> None:
    list(mark(operator.make_runner(environment="staging"), B, lambda _: True))
    failure = collect_failure(mark(operator.make_runner(environment="prod"), C, lambda _: True))[1]
    assert isinstance(failure, RefusedError)
    assert "belongs to staging" in failure.message


def test_a_change_in_the_meantime_is_refused(operator: Operator) -> None:
    def migrate_meanwhile(_proposal: RepairProposed) -> bool:
        operator.migrate()
        return True

    _, failure = collect_failure(mark(operator.make_runner(), B, migrate_meanwhile))
    assert isinstance(failure, PlanChangedError)
    assert operator.read_tables() == ["a", "b", "c"]


def test_words_of_a_dry_run_confirm_exactly_that(operator: Operator) -> None:
    shown = list(mark(operator.make_runner(), B, lambda _: False))
    (proposal,) = pick(shown, RepairProposed)
    word = f"mark:{B}:{proposal.digest}"
    operator.write(B, "CREATE TABLE b (id bigint);")
    _, failure = collect_failure(mark(operator.make_runner(), B, lambda _: False, agreed=[word]))
    assert isinstance(failure, PlanChangedError)
    operator.write_tables(B)
    list(mark(operator.make_runner(), B, lambda _: False, agreed=[word]))
    assert operator.read_applied() == [A, B]
