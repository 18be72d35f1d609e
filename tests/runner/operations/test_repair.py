"""What a repair proposes, and what it changes when a person agrees."""

from collections.abc import Callable

import pytest

from tasks.runner.errors import RefusedError, RunnerError, StatementError
from tasks.runner.events import RepairProposed, RunFinished
from tasks.runner.ledger.reading import Attempt, Ledger
from tasks.runner.operations.repair import propose_repairs, repair
from tests.runner.operating import A, B, C, Operator, collect_failure, list_done, pick

BREAKS_OFF = "BEGIN; CREATE TABLE c (); COMMIT; BEGIN; SELECT 1/0; COMMIT;"


def edit(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);", "DROP TABLE a CASCADE;")


def lose(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.remove(B)


def interrupt(operator: Operator) -> None:
    operator.write(C, BREAKS_OFF)
    with pytest.raises(StatementError):
        operator.migrate()


def forget_checksum(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute("UPDATE schema_migrations SET checksum = NULL")


def list_proposals(operator: Operator) -> list[tuple[str, str]]:
    """Return what a repair proposes if nothing is confirmed."""
    return [(event.version, event.change) for event in pick(operator.repair(lambda _: False), RepairProposed)]


@pytest.mark.parametrize(
    ("prepare", "proposal", "states"),
    [
        (edit, (A, "record checksum"), {A: "applied"}),
        (forget_checksum, (A, "record checksum"), {A: "applied"}),
        (lose, (B, "drop row"), {}),
        (interrupt, (C, "forget attempt"), {C: "pending"}),
    ],
)
def test_a_confirmed_change_resolves_its_finding(
    any_operator: Operator, prepare: Callable[[Operator], None], proposal: tuple[str, str], states: dict[str, str]
) -> None:
    prepare(any_operator)
    tables = any_operator.read_tables()
    events = any_operator.repair()
    assert [(event.version, event.change) for event in pick(events, RepairProposed)] == [proposal]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].steps == 1
    assert any_operator.read_states() == states
    assert any_operator.read_tables() == tables
    assert any_operator.read_log()[-1] == ("repair", "finished", proposal[0])
    assert list_proposals(any_operator) == []


@pytest.mark.parametrize("prepare", [edit, forget_checksum, lose, interrupt])
def test_a_change_that_is_not_confirmed_is_not_made(operator: Operator, prepare: Callable[[Operator], None]) -> None:
    prepare(operator)
    states, log = operator.read_states(), operator.read_log()
    proposed = list_proposals(operator)
    assert len(proposed) == 1
    assert (operator.read_states(), operator.read_log()) == (states, log)
    assert list_proposals(operator) == proposed


def test_each_change_is_confirmed_separately(any_operator: Operator) -> None:
    lose(any_operator)
    edit(any_operator)
    any_operator.repair(lambda proposal: proposal.change == "drop row")
    assert any_operator.read_states() == {A: "edited"}


def test_an_edited_file_is_shown_as_a_diff_and_its_texts_are_stored(any_operator: Operator) -> None:
    edit(any_operator)
    (proposal,) = pick(any_operator.repair(), RepairProposed)
    assert proposal.diff.splitlines()[3:] == ["-CREATE TABLE a (id int);", "+CREATE TABLE a (id bigint);"]
    texts = any_operator.database.query("SELECT up_text, down_text FROM schema_migrations_scripts")
    assert texts == [("CREATE TABLE a (id bigint);", "DROP TABLE a CASCADE;")]
    assert list_done(any_operator.migrate()) == []


def test_the_row_of_a_missing_file_is_dropped_with_its_texts(any_operator: Operator) -> None:
    lose(any_operator)
    any_operator.repair()
    assert any_operator.read_applied() == []
    assert any_operator.database.query("SELECT * FROM schema_migrations_scripts") == []


def test_a_forgotten_attempt_starts_from_the_first_statement(any_operator: Operator) -> None:
    interrupt(any_operator)
    any_operator.repair()
    any_operator.database.execute("DROP TABLE c")
    any_operator.write(C, "CREATE TABLE c ();")
    assert list_done(any_operator.migrate()) == [C]


def test_a_forgotten_rollback_leaves_the_version_applied(operator: Operator) -> None:
    operator.write(C, "CREATE TABLE c (); CREATE TABLE d ();", BREAKS_OFF.replace("CREATE TABLE c ()", "DROP TABLE c"))
    operator.migrate()
    with pytest.raises(StatementError):
        operator.roll_back()
    assert pick(operator.repair(), RepairProposed)[0].message.startswith("a rollback stopped after 1 of 2 segments")
    assert operator.read_states() == {C: "applied"}


def test_with_nothing_to_repair_nothing_is_written(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    log = operator.read_log()
    events = operator.repair(None)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].steps == 0
    assert operator.read_log() == log


def test_a_repair_of_an_empty_database_creates_nothing(operator: Operator) -> None:
    operator.write_tables(A)
    operator.repair()
    assert operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_without_a_way_to_ask_all_is_shown_and_nothing_changes(operator: Operator) -> None:
    lose(operator)
    edit(operator)
    events, error = collect_failure(repair(operator.make_runner(), None))
    assert isinstance(error, RefusedError)
    assert "--yes" in error.hint
    assert [event.change for event in pick(events, RepairProposed)] == ["record checksum", "drop row"]
    assert operator.read_states() == {A: "edited", B: "missing"}


def test_changes_are_written_all_or_none(operator: Operator) -> None:
    lose(operator)
    edit(operator)
    operator.database.execute(
        f"CREATE TABLE referring (version varchar(255) REFERENCES schema_migrations); INSERT INTO referring VALUES ('{B}')"
    )
    with pytest.raises(RunnerError, match=r"^update or delete on table .* violates foreign key constraint") as raised:
        operator.repair()
    assert (raised.value.state, raised.value.sqlstate) == ("Nothing was changed.", "23503")
    assert operator.read_states() == {A: "edited", B: "missing"}


def test_another_environment_refuses(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="prod")
    with pytest.raises(RefusedError, match="this run is for local, but the database belongs to prod"):
        operator.repair(environment="local")


@pytest.mark.parametrize(
    ("attempt", "changes"),
    [
        (Attempt("migrate", "started", 1, 2, "", "", "", ""), ["forget attempt"]),
        (Attempt("migrate", "failed", 1, 2, "", "", "why", ""), ["forget attempt"]),
        (Attempt("migrate", "failed", 0, 2, "", "", "why", ""), []),
        (Attempt("seed", "failed", 0, 1, "", "", "why", ""), []),
    ],
)
def test_only_an_attempt_that_left_something_can_be_cleared(attempt: Attempt, changes: list[str]) -> None:
    ledger = Ledger(attempts={A: attempt})
    assert [proposal.change for proposal in propose_repairs(ledger, ())] == changes
