"""The outcome of a run, from its rows in the log and its sessions."""

import pytest

from tasks.runner.events import Event, OutcomeRead, RunStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.operations.outcome import describe_outcome, read_outcome
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.waiting import wait_until
from tests.runner.operating import A, B, Operator, collect_failure, pick

Row = tuple[str | None, str, str, str]
STARTED: Row = (None, "started", "", "")
FINISHED: Row = (None, "finished", "", "")
FAILED: Row = (None, "failed", "division by zero", "22012")


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    return Operator(project, database)


def step(version: str, outcome: str = "finished") -> Row:
    return version, outcome, "", ""


@pytest.mark.parametrize(
    ("rows", "alive", "outcome", "steps"),
    [
        ([], False, "unknown", ()),
        ([], True, "running", ()),
        ([STARTED], True, "running", ()),
        ([STARTED], False, "died", ()),
        ([STARTED, step(A), step(B, "started")], False, "died", (A,)),
        ([STARTED, step(A), step(B, "resumed"), step(B), FINISHED], False, "finished", (A, B)),
        ([STARTED, step(A), step(B), FINISHED], True, "finished", (A, B)),
        ([STARTED, step(A), step(B, "failed"), FAILED], False, "failed", (A,)),
        ([step(A), step(B)], False, "finished", (A, B)),
    ],
    ids=["nothing", "waits", "runs", "died", "died later", "resumed", "just finished", "failed", "repair"],
)
def test_the_outcome_follows_from_rows_and_sessions(rows: list[Row], alive: bool, outcome: str, steps: tuple[str, ...]) -> None:
    described = describe_outcome("1", rows, alive=alive)
    assert (described.outcome, described.steps) == (outcome, steps)


def test_a_failure_is_shown_with_its_error() -> None:
    described = describe_outcome("1", [STARTED, FAILED], alive=False)
    assert (described.error, described.sqlstate) == ("division by zero", "22012")


def read(operator: Operator, run_id: str) -> OutcomeRead:
    (outcome,) = read_outcome(operator.make_runner(), run_id)
    assert isinstance(outcome, OutcomeRead)
    return outcome


def find_run(events: list[Event]) -> str:
    return pick(events, RunStarted)[0].run_id


def test_runs_are_distinguished_by_their_ids(operator: Operator) -> None:
    operator.write_tables(A)
    first = find_run(operator.migrate())
    operator.write(B, "SELECT 1/0;")
    second, _ = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert (read(operator, first).outcome, read(operator, first).steps) == ("finished", (A,))
    failed = read(operator, find_run(second))
    assert (failed.outcome, failed.steps, failed.sqlstate) == ("failed", (), "22012")


def test_a_repair_is_finished_by_its_rows(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.remove(A)
    run_id = find_run(operator.repair())
    # The server ends a session a moment after its client is gone; until then, the run counts as running.
    wait_until(lambda: read(operator, run_id).outcome != "running", what="the end of the session")
    assert read(operator, run_id).outcome == "finished"


def test_an_empty_database_has_no_outcome(operator: Operator) -> None:
    assert read(operator, "00000000-0000-0000-0000-000000000000").outcome == "unknown"
